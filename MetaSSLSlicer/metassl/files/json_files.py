"""JSON files: written whole, and read with one sentence that names what is wrong."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from metassl.files.atomic import retry_on_windows, write_text
from metassl.files.errors import ProjectError
from metassl.files.json_kinds import Kinds, misfit

SCHEMA_VERSION = 1
_STALE = getattr(errno, "ESTALE", None)


def write_json(path: Path, content: dict[str, Any], durable: bool = True) -> None:
    """Write `content` with its schema version to `path` atomically; `durable` as in `atomic_write`."""
    document = {"schema_version": SCHEMA_VERSION, **content}
    write_text(path, json.dumps(document, indent=1, ensure_ascii=False) + "\n", durable)


def read_json(
    path: Path,
    what: str,
    kinds: Kinds | None = None,
    remedy: str = "restore it from a copy",
    read: Callable[[dict[str, Any]], dict[str, Any]] = lambda document: document,
) -> dict[str, Any]:
    """Read the object in `path`; `what` names it in errors ("the case list"), `remedy` says what to do. `read`
    is called with the object before its entries are checked.

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
    document = read(document)
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


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        if error.errno != _STALE:
            raise
        return path.read_bytes()  # on a share another machine has just put a new file in its place


def _reason(error: ValueError) -> str:
    return "it is not UTF-8" if isinstance(error, UnicodeError) else str(error)


def parse_json(text: bytes | str) -> Any:
    """The value that `text` (UTF-8) holds. ValueError when it is none."""
    try:
        return json.loads(text.decode("utf-8") if isinstance(text, bytes) else text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
