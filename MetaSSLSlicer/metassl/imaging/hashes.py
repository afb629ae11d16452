"""Which image exactly: the hashes of its files, to tell when one was replaced after somebody annotated it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from metassl.files.atomic import sha256_of
from metassl.files.errors import ImageError, ProjectError

_known: dict[tuple, str] = {}


def image_hashes(paths: Sequence[Path], case: str) -> list[str]:
    """The SHA-256 of each channel's file, or of all files of its folder (a DICOM series).

    Files are read once per process, unless they change. ImageError names case and file when one cannot be read.
    """
    found = []
    for path in map(Path, paths):
        try:
            found.append(_hash_of_channel(path))
        except (OSError, ProjectError) as error:
            if isinstance(error, FileNotFoundError):
                raise ImageError(f"case {case}: there is no file {path}; restore it or take the case out") from error
            raise ImageError(f"case {case}: cannot read {path}: {error}") from error
    return found


def replaced_image(paths: Sequence[Path], now: Sequence[str], then: Sequence[str]) -> Path | None:
    """The first image whose hash is not what it was; None when all are the same or `then` is empty: not known."""
    if not then:
        return None
    changed = [path for path, new, old in zip(paths, now, then) if new != old]
    if changed or len(now) != len(then):
        return Path([*changed, *paths][0])
    return None


def refuse_replaced(case: str, paths: Sequence[Path], now: Sequence[str], drawn_on: Sequence[str]) -> None:
    """ImageError when an image is no longer the one that the annotation was drawn on."""
    if replaced := replaced_image(paths, now, drawn_on):
        raise ImageError(
            f"case {case}: {replaced} was replaced after it was annotated; put the former file back, or look whether "
            "the annotation fits and accept it again"
        )


def channel_files(path: Path) -> list[Path]:
    """The files of a channel: the one, or all in the folder of a DICOM series."""
    if not os.path.isdir(path):  # unlike Path.is_dir it takes any name
        return [path]
    return sorted(each for each in path.rglob("*") if each.is_file())


def file_hash(path: Path) -> str:
    """The SHA-256 of a file, read once per process unless it changes. OSError or ProjectError."""
    stat = path.stat()
    key = (str(path.resolve()), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
    if key not in _known:
        _known[key] = sha256_of(path)
    return _known[key]


def _hash_of_channel(path: Path) -> str:
    files = channel_files(path)
    if files == [path]:
        return file_hash(path)
    digest = hashlib.sha256()
    for file in files:
        digest.update(file_hash(file).encode())
    return digest.hexdigest()
