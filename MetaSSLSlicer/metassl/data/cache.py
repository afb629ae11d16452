"""Preprocessed arrays on disk: made once, memory-mapped ever after, bounded in size."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
import threading
import time
import weakref
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from metassl.files.atomic import make_folder, retry_on_windows, writing
from metassl.files.errors import ProjectError
from metassl.files.json_files import parse_json
from metassl.imaging.hashes import channel_files, file_hash

FORMAT = 4
"""Part of every key; raised when preprocessing changes its results."""

INDEX = "entry.json"
"""Of an entry, which is a folder of .npy files: what they must hold."""

TEMPORARY = ".tmp-"
STALE_SECONDS = 3600
_BLOCK, _BLOCKS = 1 << 18, 64

MAPPED_AT_ONCE = 100
"""Arrays that `on_demand` keeps mapped. Each holds a file open, and some systems allow a process 256 in all."""

Make = Callable[[], Mapping[str, np.ndarray]]


def content_key(paths: Sequence[Path], **parts: Any) -> str:
    """A key for what is made from these files: their content, and the `parts` (plain JSON).

    A path may be a folder (a DICOM series). Files are read once per process, unless they change.
    Raises ProjectError when one cannot be read.
    """
    digest = hashlib.sha256(json.dumps([FORMAT, parts], sort_keys=True).encode())
    for path in map(Path, paths):
        for file in channel_files(path):
            digest.update(_hash(file).encode())
        digest.update(b"end of channel")
    return digest.hexdigest()[:40]


def _hash(path: Path) -> str:
    try:
        return file_hash(path)
    except OSError as error:
        raise ProjectError(f"cannot read {path}: {error.strerror or error}") from error


class PreprocessCache:
    """Named arrays per key, in `folder`, using at most `max_bytes` on disk.

    Entries that were used longest ago are evicted first, but none that is in use in this process:
    its arrays are still alive, or may be asked for on demand (elsewhere a mapped file stays
    readable after it was deleted, or, on Windows, cannot be deleted). So the bound is exceeded only
    by what is in use, and a tenth of that. Several processes and threads may share a folder. It is
    safe to delete it.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = make_folder(Path(folder))
        self._max_bytes = int(max_bytes)
        self._alive: dict[str, list[weakref.ref]] = {}
        self._kept: set[str] = set()
        self._verified: set[str] = set()
        self._lock = threading.RLock()
        self._mapped = lru_cache(MAPPED_AT_ONCE)(lambda key, make, name: self.get(key, make, name)[name])
        self._remove_leftovers()
        self._bytes = self.size_bytes()  # as far as this process knows
        self._look_above = self._max_bytes

    def on_demand(self, key: str, make: Make, name: str) -> Callable[[], np.memmap]:
        """A function that gives one array of `key`, as `get` does; made now, mapped when it is called.

        As many as there are cases may be held. The entry is in use as long as this object lives.
        """
        self._kept.add(key)
        self._mapped(key, make, name)
        return partial(self._mapped, key, make, name)

    def get(self, key: str, make: Make, *names: str) -> dict[str, np.memmap]:
        """The arrays of `key`, read-only; `make` is called when they are not there, lack one of `names` or are damaged.

        Raises ProjectError when the folder cannot be read or written, or the disk is full.
        """
        with self._lock:
            arrays = self._open(key, names)
        if arrays is not None:
            return arrays
        made = make()
        with self._lock:
            arrays = self._open(key, names)  # another thread may have been faster
            if arrays is None:
                self._store(key, made)
                arrays = self._open(key, names)
        if arrays is None:
            raise ProjectError(f"the cache {self._folder} does not keep its files: delete it")
        return arrays

    def __contains__(self, key: str) -> bool:
        return is_entry(self._folder / key)

    def size_bytes(self) -> int:
        """What the entries take on disk."""
        return sum(map(entry_bytes, self._entries()))

    def _open(self, key: str, names: Sequence[str]) -> dict[str, np.memmap] | None:
        folder = self._folder / key
        try:
            arrays = read_entry(folder, verify=key not in self._verified)
            if not arrays.keys() >= set(names):
                raise DamagedEntry("it lacks an array")
            touch(folder)
        except (DamagedEntry, FileNotFoundError):
            shutil.rmtree(folder, ignore_errors=True)
            self._verified.discard(key)
            return None
        except OSError as error:
            reason = error.strerror or error
            remedy = "delete it"
            if error.errno in (errno.EMFILE, errno.ENFILE):
                remedy = "close other programs, or raise the limit on open files (ulimit -n)"
            raise ProjectError(f"cannot read the cache {folder}: {reason}; {remedy}") from error
        self._verified.add(key)
        alive = [ref for ref in self._alive.get(key, []) if ref() is not None]
        # views of an array keep its mapping alive, not the array object itself
        self._alive[key] = alive + [weakref.ref(array.base) for array in arrays.values()]
        return arrays

    def _store(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        needed = sum(array.nbytes for array in arrays.values())
        if self._bytes + needed > self._look_above:
            # a tenth is freed ahead, and looked for again after a tenth more: looking takes time with many entries
            self._evict(self._max_bytes - self._max_bytes // 10 - needed)
            self._look_above = max(self._max_bytes, self._bytes + self._bytes // 10)
        try:
            write_entry(self._folder / key, arrays)
        except ProjectError:
            if not self._evict(0):
                raise
            write_entry(self._folder / key, arrays)  # our own old entries may have filled the disk
        self._bytes += entry_bytes(self._folder / key)

    def _evict(self, limit: int) -> bool:
        """Delete entries, oldest first, until at most `limit` bytes are left; True if any was."""
        sizes = {entry: entry_bytes(entry) for entry in self._entries()}  # other processes add and delete some, too
        before = self._bytes = sum(sizes.values())
        for entry in sorted(sizes, key=last_used) if before > limit else []:
            if self._bytes <= limit:
                break
            if self._in_use(entry.name):
                continue
            shutil.rmtree(entry, ignore_errors=True)
            if not entry.exists():
                self._verified.discard(entry.name)
                self._bytes -= sizes[entry]
        return self._bytes < before

    def _in_use(self, key: str) -> bool:
        return key in self._kept or any(ref() is not None for ref in self._alive.get(key, []))

    def _entries(self) -> list[Path]:
        return [folder for folder in self._folder.iterdir() if is_entry(folder)]

    def _remove_leftovers(self) -> None:
        """What a killed process left half written; younger ones may belong to a living one."""
        for entry in self._folder.glob(f"{TEMPORARY}*"):
            try:
                stale = time.time() - entry.stat().st_mtime > STALE_SECONDS
            except OSError:
                continue
            if stale:
                shutil.rmtree(entry, ignore_errors=True)


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
    array: np.memmap = np.load(path, mmap_mode="r", allow_pickle=False)
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
