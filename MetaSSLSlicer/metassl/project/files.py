"""Small files, written so that a crash, a full disk or a second process leaves no half of one."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import ProjectError
from .json_text import parse_json
from .kinds import Kinds, misfit

SCHEMA_VERSION = 1
TEMPORARY = ".tmp-"
"""How the name of a file begins that is not whole yet."""

MAX_JSON_BYTES = 1 << 26
"""The case list of 100,000 cases takes half of it."""

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_NO_FOLDER = {errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.EISDIR}
_STALE = getattr(errno, "ESTALE", None)
_WINDOWS_TRIES = 40


def write_failure(path: Path, error: OSError) -> ProjectError:
    """The one-line error for an `OSError` that was met while writing `path`."""
    if error.errno in _FULL:
        return ProjectError(f"the disk is full: cannot write {path}; free some space and try again")
    if error.errno in _DENIED:
        return ProjectError(f"cannot write {path}: no permission, or the disk is read-only")
    if error.errno == errno.ENOENT and not path.parent.exists():
        return ProjectError(f"cannot write {path}: there is no folder {path.parent}; was it moved or taken away?")
    if error.errno in _NO_FOLDER:
        return ProjectError(f"cannot write {path}: {path.parent} is not a folder that can hold it")
    return ProjectError(f"cannot write {path}: {error.strerror or error}")


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


def atomic_write(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary file beside `path`, then put it in the place of `path`.

    Readers see the old file or the new one, never a part. The temporary name ends as `path` does,
    so that writers which look at the suffix still work. Raises ProjectError (full disk, no
    permission, ...); the old file is then untouched and the temporary file is gone.
    """
    path = Path(path)
    temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(6)}-{path.name}")
    try:
        with writing(path):
            write(temporary)
            _flush_to_disk(temporary)
            retry_on_windows(lambda: os.replace(temporary, path))
    except BaseException:
        _remove_quietly(temporary)
        raise
    flush_folder(path.parent)


def remove_file(path: Path) -> None:
    """Remove a file, if it is there, before anything that is written next. Raises ProjectError."""
    path = Path(path)
    with writing(path):
        retry_on_windows(lambda: path.unlink(missing_ok=True))
    flush_folder(path.parent)


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically."""
    atomic_write(path, lambda temporary: _write_and_close(temporary, data))


def copy_file(source: Path, path: Path) -> None:
    """Write the content of `source` to `path` atomically."""
    atomic_write(path, lambda temporary: shutil.copyfile(source, temporary))


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` atomically, as UTF-8 with plain newlines."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write `content` with its schema version to `path` atomically."""
    document = {"schema_version": SCHEMA_VERSION, **content}
    write_text(path, json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def read_json(
    path: Path, what: str, kinds: Kinds | None = None, remedy: str = "restore it from a copy"
) -> dict[str, Any]:
    """Read the object in `path`; `what` names it in errors ("the case list"), `remedy` says what to do.

    Raises ProjectError when the file is missing, torn, not an object, of a newer schema, or has an entry that is not
    of the kind that `kinds` says.
    """
    path = Path(path)
    try:
        document = parse_json(retry_on_windows(lambda: _read_bytes(path)))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ProjectError(f"{what} is missing: there is no file {path}") from error
    except OSError as error:
        raise ProjectError(f"{what} cannot be read: {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise ProjectError(f"{what} is damaged: {path} is not valid JSON ({_reason(error)}); {remedy}") from error
    if not isinstance(document, dict):
        raise ProjectError(f"{what} is damaged: {path} does not hold a JSON object")
    check_schema(document, what, path)
    if wrong := misfit(document, kinds or {}):
        raise ProjectError(f"{what} is damaged: the entry {wrong!r} in {path} is of the wrong kind; {remedy}")
    return document


def check_schema(document: dict[str, Any], what: str, path: Path) -> None:
    """ProjectError when what was read from `path` is of a newer schema, or of none that ever was."""
    version = document.get("schema_version", SCHEMA_VERSION)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ProjectError(f"{what} is damaged: {path} has the schema version {version!r}")
    if version > SCHEMA_VERSION:
        raise ProjectError(
            f"{what} was written by a newer MetaSSL (schema {version}, this one reads up to "
            f"{SCHEMA_VERSION}): update MetaSSL to open {path}"
        )


def remove_leftovers(folder: Path, older_than_s: float = 3600.0) -> None:
    """Remove what killed processes left half-written in `folder`; younger files may be those of a living one."""
    for path in Path(folder).glob(f"{TEMPORARY}*"):
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


def _read_bytes(path: Path) -> bytes:
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is not an ordinary file")  # a pipe would be waited for
    if found.st_size > MAX_JSON_BYTES:
        raise OSError(errno.EFBIG, f"it is larger than {MAX_JSON_BYTES >> 20} MiB")
    try:
        return path.read_bytes()
    except OSError as error:
        if error.errno != _STALE:
            raise
        return path.read_bytes()  # on a share another machine has just put a new file in its place


def _reason(error: ValueError) -> str:
    return "it is not UTF-8" if isinstance(error, UnicodeError) else str(error)


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
            time.sleep(0.05)
    return action()
