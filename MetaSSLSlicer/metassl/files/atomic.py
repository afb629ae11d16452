"""Files, written so that a crash, a full disk or a second process leaves no half of one."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import ErrorCode, ProjectError, WriteError, code_of


def is_unicode(text: str) -> bool:
    """False for a file name in some older encoding, as Python hands it over: it could not be written into JSON."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


TEMPORARY = ".tmp-"
"""How the name of a file begins that is not whole yet."""

_NO_FOLDER = {errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.EISDIR}
_WINDOWS_TRIES = 200


def write_failure(path: Path, error: OSError) -> WriteError:
    """The one-line error for an `OSError` that was met while writing `path`."""
    code = code_of(error)
    if code is ErrorCode.DISK_FULL:
        return WriteError(f"the disk is full: cannot write {path}; free some space and try again")
    if code is ErrorCode.NO_ACCESS:
        return WriteError(f"cannot write {path}: no permission, or the disk is read-only")
    if error.errno == errno.ENOENT and not path.parent.exists():
        return WriteError(f"cannot write {path}: there is no folder {path.parent}; was it moved or taken away?")
    if error.errno in _NO_FOLDER:
        return WriteError(f"cannot write {path}: {path.parent} is not a folder that can hold it")
    return WriteError(f"cannot write {path}: {error.strerror or error}")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn any `OSError` inside the block into a `ProjectError` about `path`."""
    try:
        yield
    except OSError as error:
        raise write_failure(Path(path), error) from error


def make_folder(path: Path, parents: bool = True) -> Path:
    """Make `path` and, unless told otherwise, its parents; ProjectError when that is impossible.

    Inside a project leave the parents out, so that one that was moved away is not begun anew at its former place.
    A new folder outlasts a power loss, as what is written in it then does.
    """
    path = Path(path)
    with writing(path):
        if path.is_dir():
            return path
        if parents and path.parent != path:
            make_folder(path.parent)
        path.mkdir(exist_ok=True)
    flush_folder(path.parent)
    return path


def flush_folder(folder: Path) -> None:
    """Have what was made, renamed or removed in `folder` outlast a power loss, where the system can."""
    if os.name == "nt":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # the file itself is safe; some file systems cannot flush a folder
    finally:
        os.close(descriptor)


def atomic_write(path: Path, write: Callable[[Path], object], durable: bool = True) -> None:
    """Let `write` fill a temporary file beside `path`, then put it in the place of `path`.

    Readers see the old file or the new one, never a part. The temporary name ends as `path` does,
    so that writers which look at the suffix still work. Raises ProjectError (full disk, no
    permission, ...); the old file is then untouched and the temporary file is gone. What is not `durable` need not
    outlast a power loss, which may leave neither the old file nor the new one.
    """
    path = Path(path)
    temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(6)}-{path.name}")
    try:
        with writing(path):
            write(temporary)
            if durable:
                _flush_to_disk(temporary)
            retry_on_windows(lambda: os.replace(temporary, path))
    except BaseException:
        _remove_quietly(temporary)
        raise
    if durable:
        flush_folder(path.parent)


def remove_file(path: Path) -> None:
    """Remove a file, if it is there, before anything that is written next. Raises ProjectError."""
    path = Path(path)
    with writing(path):
        retry_on_windows(lambda: path.unlink(missing_ok=True))
    flush_folder(path.parent)


def write_bytes(path: Path, data: bytes, durable: bool = True) -> None:
    """Write `data` to `path` atomically."""
    atomic_write(path, lambda temporary: _write_and_close(temporary, data), durable)


def copy_file(source: Path, path: Path) -> None:
    """Write the content of `source` to `path` atomically."""
    atomic_write(path, lambda temporary: shutil.copyfile(source, temporary))


def write_text(path: Path, text: str, durable: bool = True) -> None:
    """Write `text` to `path` atomically, as UTF-8 with plain newlines."""
    write_bytes(path, text.encode("utf-8"), durable)


def remove_leftovers(folder: Path, older_than_s: float = 3600.0, name: str = "") -> None:
    """Remove what killed processes left half-written in `folder`, of all files or of the one called `name`.

    Younger files may be those of a living process.
    """
    for path in Path(folder).glob(f"{TEMPORARY}*{name}"):
        try:
            if time.time() - path.stat().st_mtime >= older_than_s:
                path.unlink()
        except OSError:
            continue  # gone meanwhile, or not ours to remove


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes as hex. Raises ProjectError when it cannot be read."""
    try:
        with open(path, "rb") as stream:
            digest = hashlib.sha256()
            while block := stream.read(1 << 20):
                digest.update(block)
            return digest.hexdigest()
    except OSError as error:
        raise ProjectError(f"cannot read {path}: {error.strerror or error}") from error


def _write_and_close(path: Path, data: bytes) -> None:
    with open(path, "wb") as stream:
        stream.write(data)


def _flush_to_disk(path: Path) -> None:
    with open(path, "r+b") as stream:
        os.fsync(stream.fileno())


def _remove_quietly(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        pass


def retry_on_windows(action: Callable[[], Any]) -> Any:
    """On Windows a reader (or a virus scanner) blocks replacing a file for a moment."""
    for _ in range(_WINDOWS_TRIES if os.name == "nt" else 0):
        try:
            return action()
        except PermissionError:
            time.sleep(0.01)
    return action()
