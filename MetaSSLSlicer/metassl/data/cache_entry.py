"""One entry of the cache: a folder of .npy files and an index that says what they must hold."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from metassl.files.atomic import retry_on_windows, writing
from metassl.files.json_files import parse_json

INDEX = "entry.json"
TEMPORARY = ".tmp-"
_BLOCK, _BLOCKS = 1 << 18, 64


class DamagedEntry(Exception):
    """The entry is not there, or not what was written."""


def is_entry(folder: Path) -> bool:
    """Whether a complete entry lies there (its files are not looked at)."""
    return (folder / INDEX).is_file()


def write_entry(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the arrays to `folder`: all of them appear at once, or none.

    Another process that was faster wins. Raises ProjectError when the disk is full or read-only.
    """
    temporary = folder.with_name(f"{TEMPORARY}{secrets.token_hex(6)}")
    try:
        with writing(folder):
            temporary.mkdir()
            index = {
                name: _write(temporary / f"{name}.npy", np.ascontiguousarray(array)) for name, array in arrays.items()
            }
            (temporary / INDEX).write_text(json.dumps({"arrays": index}), "utf-8")
            try:
                retry_on_windows(lambda: os.rename(temporary, folder))
            except OSError:
                if not is_entry(folder):
                    raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def read_entry(folder: Path, verify: bool) -> dict[str, np.memmap]:
    """Map the arrays of an entry, read-only; `verify` reads the files and compares checksums.

    Raises DamagedEntry, or OSError when the system cannot read what is there.
    """
    try:
        index = parse_json((folder / INDEX).read_bytes())["arrays"]
        if not all(map(str.isidentifier, index)):
            raise ValueError("a name leads out of the folder")
        return {name: _map(folder / f"{name}.npy", facts, verify) for name, facts in index.items()}
    except FileNotFoundError as error:
        raise DamagedEntry("a file is missing") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedEntry(str(error)) from error


def entry_bytes(folder: Path) -> int:
    """What the arrays of an entry take on disk; 0 when it is gone."""
    try:
        return sum(path.stat().st_size for path in folder.glob("*.npy"))
    except OSError:
        return 0


def last_used(folder: Path) -> int:
    """When the entry was last touched, in nanoseconds; 0 when it is gone."""
    try:
        return (folder / INDEX).stat().st_mtime_ns
    except OSError:
        return 0


def touch(folder: Path) -> None:
    """Note that the entry is used now."""
    os.utime(folder / INDEX)


def _write(path: Path, array: np.ndarray) -> dict[str, Any]:
    with open(path, "wb") as stream:
        _save(stream, array)
        stream.flush()
        os.fsync(stream.fileno())
    return {
        "shape": list(array.shape),
        "dtype": str(array.dtype),
        "bytes": path.stat().st_size,
        "checksum": _checksum(path),
    }


def _save(stream: BinaryIO, array: np.ndarray) -> None:
    """As numpy.save, which does not tell why it could not write all of a file."""
    np.lib.format.write_array_header_2_0(stream, np.lib.format.header_data_from_array_1_0(array))
    stream.write(array.reshape(-1).view(np.uint8).data)


def _map(path: Path, facts: Mapping[str, Any], verify: bool) -> np.memmap:
    if path.stat().st_size != facts["bytes"]:
        raise ValueError("a file is torn")
    if verify and _checksum(path) != facts["checksum"]:
        raise ValueError("a file has changed")
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if list(array.shape) != facts["shape"] or str(array.dtype) != facts["dtype"]:
        raise ValueError("a file holds another array")
    return array


def _checksum(path: Path) -> int:
    """CRC of the file, or of 64 blocks spread over a large one, so that opening stays quick."""
    size, value = path.stat().st_size, 0
    step = max(_BLOCK, size // _BLOCKS)
    with open(path, "rb") as stream:
        for start in range(0, size, step):
            stream.seek(start)
            value = zlib.crc32(stream.read(_BLOCK), value)
    return value
