"""Checkpoints: written whole or not at all, loaded as plain tensors only."""

from __future__ import annotations

import io
from pathlib import Path

import torch

from metassl.project.errors import ProjectError
from metassl.project.files import atomic_write, make_folder


def save_checkpoint(path: Path, state: dict) -> None:
    # Through memory: torch's own file writer hides a full disk behind an internal error.
    buffer = io.BytesIO()
    torch.save(state, buffer)
    make_folder(path.parent)
    atomic_write(path, lambda temporary: temporary.write_bytes(buffer.getbuffer()))


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
