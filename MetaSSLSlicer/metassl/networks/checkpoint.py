"""Checkpoints: written whole or not at all, loaded as plain tensors only."""

from __future__ import annotations

import io
import zipfile
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

    `wanted`: entries that must be there, and their types. Raises ProjectError when the file is missing or damaged,
    claims more memory than it has bytes, or lacks what is wanted.
    """
    try:
        _refuse_compressed(path)
        loaded = torch.load(path, map_location="cpu", weights_only=True)
        _refuse_claims(loaded, path.stat().st_size)
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


def damaged(path: Path, reason: object) -> ProjectError:
    """The error for a checkpoint that cannot be used."""
    return ProjectError(
        f"{path} cannot be read as a checkpoint ({reason}): start a new round with `metassl train --new-round`"
    )


def _refuse_compressed(path: Path) -> None:
    """torch stores its entries as they are; one that is compressed could become any size."""
    if not path.is_file():
        raise FileNotFoundError(path) if not path.exists() else ValueError("it is not a file")
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ValueError("its entries are compressed")
    if sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise ValueError("its entries claim more bytes than it has")


def _refuse_claims(content: object, file_bytes: int) -> None:
    """ValueError unless it is a dict whose tensors are plain ones, no larger than what is stored of them."""
    if not isinstance(content, dict):
        raise ValueError("it holds no entries")
    seen: set[int] = set()
    storages: dict[int, int] = {}
    waiting: list[object] = [content]
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, torch.Tensor):
            if item.layout != torch.strided or item.is_quantized or item.is_meta:
                raise ValueError("it holds tensors of an unusual kind")
            storage = item.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
            if item.numel() * item.element_size() > storage.nbytes():
                raise ValueError("it holds tensors that claim more than is stored of them")
        elif isinstance(item, dict):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, list | tuple | set):
            waiting += item
    if sum(storages.values()) > file_bytes:
        raise ValueError("its tensors claim more bytes than it has")
