"""Checkpoints: written whole or not at all, loaded as plain tensors only."""

from __future__ import annotations

from pathlib import Path

import torch

from metassl.project.errors import ProjectError
from metassl.project.files import atomic_write


def save_checkpoint(path: Path, state: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, lambda temporary: torch.save(state, temporary))


def load_checkpoint(path: Path, device: torch.device | str = "cpu") -> dict:
    """Tensors and plain values only (weights_only): a file from elsewhere can run no code."""
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError as error:
        raise ProjectError(f"{path} is missing: train a round first") from error
    except Exception as error:
        raise ProjectError(
            f"{path} cannot be read as a checkpoint ({type(error).__name__}): "
            "start a new round with `metassl train --new-round`"
        ) from error
