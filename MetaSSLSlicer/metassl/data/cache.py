"""Preprocessed arrays on disk: made once, memory-mapped ever after, bounded in size."""

from __future__ import annotations

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
from pathlib import Path
from typing import Any

import numpy as np

from metassl.project.errors import ProjectError
from metassl.project.files import make_folder, sha256_of, writing

FORMAT = 1
"""Part of every key; raised when preprocessing changes its results."""

INDEX = "entry.json"
STALE_SECONDS = 3600
_BLOCK, _BLOCKS = 1 << 18, 64
_hashes: dict[tuple, str] = {}


def content_key(paths: Sequence[Path], **parts: Any) -> str:
    """A key for what is made from these files: their content, and the `parts` (plain JSON).

    A path may be a folder (a DICOM series). Files are read once per process, unless they change.
    """
    digest = hashlib.sha256(json.dumps([FORMAT, parts], sort_keys=True).encode())
    for path in map(Path, paths):
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            digest.update(_file_hash(file).encode())
    return digest.hexdigest()[:40]


def _file_hash(path: Path) -> str:
    try:
        stat = path.stat()
    except OSError as error:
        raise ProjectError(f"cannot read {path}: {error.strerror or error}") from error
    known = (str(path.resolve()), stat.st_size, stat.st_mtime_ns, stat.st_ino)
    if known not in _hashes:
        _hashes[known] = sha256_of(path)
    return _hashes[known]


class PreprocessCache:
    """Named arrays per key, in `folder`, using at most `max_bytes` on disk.

    Entries that were used longest ago are evicted first, but none whose arrays are still alive in
    this process (elsewhere a mapped file stays readable after it was deleted, or, on Windows,
    cannot be deleted). So the bound is exceeded only by what is in use. Several processes and
    threads may share a folder. It is safe to delete it.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = make_folder(Path(folder))
        self._max_bytes = int(max_bytes)
        self._alive: dict[str, list[weakref.ref]] = {}
        self._checked: set[str] = set()
        self._lock = threading.RLock()
        self._remove_leftovers()

    def get(self, key: str, make: Callable[[], Mapping[str, np.ndarray]]) -> dict[str, np.memmap]:
        """The arrays of `key`, read-only; `make` is called when they are not there or damaged.

        Raises ProjectError when the folder cannot be written or the disk is full.
        """
        with self._lock:
            arrays = self._open(key)
        if arrays is None:
            made = make()
            with self._lock:
                arrays = self._open(key)  # another thread may have been faster
                if arrays is None:
                    self._store(key, made)
                    arrays = self._open(key)
        if arrays is None:
            raise ProjectError(f"the cache {self._folder} does not keep its files: delete it")
        return arrays

    def __contains__(self, key: str) -> bool:
        return (self._folder / key / INDEX).is_file()

    def size_bytes(self) -> int:
        """What the entries take on disk."""
        return sum(_size(entry) for entry in self._entries())

    def _open(self, key: str) -> dict[str, np.memmap] | None:
        folder = self._folder / key
        try:
            index = json.loads((folder / INDEX).read_text("utf-8"))
            arrays = {
                name: self._map(key, folder / f"{name}.npy", facts)
                for name, facts in index["arrays"].items()
            }
            os.utime(folder / INDEX)
        except FileNotFoundError:
            arrays = None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            arrays = None
            shutil.rmtree(folder, ignore_errors=True)
        if arrays is None:
            self._checked.discard(key)
            return None
        self._checked.add(key)
        alive = [ref for ref in self._alive.get(key, []) if ref() is not None]
        self._alive[key] = alive + [weakref.ref(array) for array in arrays.values()]
        return arrays

    def _map(self, key: str, path: Path, facts: dict) -> np.memmap:
        if path.stat().st_size != facts["bytes"]:
            raise ValueError("torn")
        if key not in self._checked and _checksum(path) != facts["checksum"]:
            raise ValueError("damaged")
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if list(array.shape) != facts["shape"] or str(array.dtype) != facts["dtype"]:
            raise ValueError("not what was stored")
        return array

    def _store(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        needed = sum(array.nbytes for array in arrays.values())
        self._evict(self._max_bytes - needed)
        try:
            self._write(key, arrays)
        except ProjectError:
            if not self._evict(0):
                raise
            self._write(key, arrays)  # the disk may have been full of our own old entries

    def _write(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        temporary = self._folder / f".tmp-{secrets.token_hex(6)}"
        target = self._folder / key
        try:
            with writing(target):
                temporary.mkdir()
                index = {}
                for name, array in arrays.items():
                    path = temporary / f"{name}.npy"
                    with open(path, "wb") as stream:
                        np.save(stream, np.ascontiguousarray(array), allow_pickle=False)
                        stream.flush()
                        os.fsync(stream.fileno())
                    index[name] = {
                        "shape": list(array.shape),
                        "dtype": str(array.dtype),
                        "bytes": path.stat().st_size,
                        "checksum": _checksum(path),
                    }
                (temporary / INDEX).write_text(json.dumps({"arrays": index}), "utf-8")
                try:
                    os.rename(temporary, target)
                except OSError:
                    if not (target / INDEX).is_file():
                        raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _evict(self, limit: int) -> bool:
        """Delete entries, oldest first, until at most `limit` bytes are left; True if any was."""
        total, evicted = self.size_bytes(), False
        for entry in sorted(self._entries(), key=_last_used) if total > limit else []:
            if total <= limit:
                break
            if self._in_use(entry.name):
                continue
            size = _size(entry)
            shutil.rmtree(entry, ignore_errors=True)
            if not entry.exists():
                self._checked.discard(entry.name)
                total -= size
                evicted = True
        return evicted

    def _in_use(self, key: str) -> bool:
        return any(ref() is not None for ref in self._alive.get(key, []))

    def _entries(self) -> list[Path]:
        return [e for e in self._folder.iterdir() if (e / INDEX).is_file()]

    def _remove_leftovers(self) -> None:
        """What a killed process left half written; younger ones may belong to a living one."""
        for entry in self._folder.glob(".tmp-*"):
            try:
                stale = time.time() - entry.stat().st_mtime > STALE_SECONDS
            except OSError:
                continue
            if stale:
                shutil.rmtree(entry, ignore_errors=True)


def _size(entry: Path) -> int:
    total = 0
    for path in entry.glob("*.npy"):
        try:
            total += path.stat().st_size
        except OSError:
            continue
    return total


def _last_used(entry: Path) -> int:
    try:
        return (entry / INDEX).stat().st_mtime_ns
    except OSError:
        return 0


def _checksum(path: Path) -> int:
    """CRC of the file, or of 64 blocks spread over a large one, so that opening stays quick."""
    size, value = path.stat().st_size, 0
    step = max(_BLOCK, size // _BLOCKS)
    with open(path, "rb") as stream:
        for start in range(0, size, step):
            stream.seek(start)
            value = zlib.crc32(stream.read(_BLOCK), value)
    return value
