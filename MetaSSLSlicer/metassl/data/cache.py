"""Preprocessed arrays on disk: made once, memory-mapped ever after, bounded in size."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from metassl.data.cache_entry import (
    TEMPORARY,
    DamagedEntry,
    entry_bytes,
    is_entry,
    last_used,
    read_entry,
    touch,
    write_entry,
)
from metassl.files.atomic import make_folder
from metassl.files.errors import ProjectError
from metassl.imaging.hashes import channel_files, file_hash

FORMAT = 3
"""Part of every key; raised when preprocessing changes its results."""

STALE_SECONDS = 3600
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
