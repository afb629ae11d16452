"""Checkpoints: written whole or not at all, loaded as plain tensors only."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from metassl.files.atomic import atomic_write, make_folder
from metassl.files.errors import ProjectError
from metassl.files.json_files import SCHEMA_VERSION, check_schema
from metassl.project.former_names import renamed

_LARGEST = 2**53


def save_checkpoint(path: Path, state: dict) -> None:
    # Through memory: torch's own file writer hides a full disk behind an internal error.
    buffer = io.BytesIO()
    torch.save({"schema_version": SCHEMA_VERSION, **state}, buffer)
    make_folder(path.parent, parents=False)
    atomic_write(path, lambda temporary: temporary.write_bytes(buffer.getbuffer()))


def load_checkpoint(path: Path, **wanted: type | tuple[type, ...]) -> dict:
    """Tensors, on the CPU, and plain values only (weights_only): a file from elsewhere can run no code.

    `wanted`: entries that must be there, and their types. Raises ProjectError when the file is missing or damaged, or
    lacks what is wanted.
    """
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(loaded, dict):
            raise ValueError("it holds no entries")
    except FileNotFoundError as error:
        raise ProjectError(f"{path} is missing: train a round first") from error
    except Exception as error:
        reason = str(error) if type(error) is ValueError else type(error).__name__
        raise damaged(path, reason) from error
    check_schema(loaded, "the checkpoint", path)
    content: dict[str, Any] = renamed(loaded, 1)
    for name, types in wanted.items():
        value = content.get(name)
        if not isinstance(value, types) or (isinstance(value, int | float) and not 0 <= value < _LARGEST):
            raise damaged(path, f"its entry {name!r} is missing or wrong")
    return content


def save_weights(path: Path, state: dict[str, torch.Tensor]) -> None:
    """A module's weights alone, as other programs read them."""
    buffer = io.BytesIO()
    torch.save({name: tensor.detach().cpu() for name, tensor in state.items()}, buffer)
    atomic_write(path, lambda temporary: temporary.write_bytes(buffer.getbuffer()))


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    """What `save_weights` wrote, on the CPU (weights_only). Raises ProjectError."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ProjectError(f"{path} cannot be read as the weights of a model ({type(error).__name__})") from error
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(tensor, torch.Tensor) for name, tensor in state.items()
    ):
        raise ProjectError(f"{path} holds something else than the weights of a model")
    return state


def damaged(path: Path, reason: object) -> ProjectError:
    """The error for a checkpoint that cannot be used."""
    return ProjectError(
        f"{path} cannot be read as a checkpoint ({reason}): start a new round with `metassl train --new-round`"
    )
