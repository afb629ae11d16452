"""A results file of one line a run, which only grows: what a killed process left torn is not read, and done again.

{"time", "run": {the fields of the run, and what was measured of it}}
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from metassl.files.atomic import writing
from metassl.files.errors import MetaSSLError
from metassl.project.cases import now

AnyRun = TypeVar("AnyRun")
_BEGIN = b'{"time": "'


def read_lines(
    path: Path, kind: type[AnyRun], command: str, usual: dict[str, Any], needed: Iterable[str] = ()
) -> dict[AnyRun, dict[str, Any]]:
    """{run: what is known of it} of a file that need not exist. MetaSSLError when it holds something else.

    kind: a frozen dataclass, which tells one run from the others; usual: what runs without a word of it had; needed:
    what else is known of each.
    """
    found: dict[AnyRun, dict[str, Any]] = {}
    for number, line in enumerate(_lines(path), start=1):
        if _is_torn(line):
            continue
        try:
            known = {**usual, **json.loads(line)["run"]}
            run = kind(**{each.name: known[each.name] for each in fields(kind)})  # type: ignore[arg-type]
            found[run] = {**known, **{name: known[name] for name in needed}}
        except (KeyError, TypeError, ValueError) as error:
            raise MetaSSLError(f"{path} holds no results of `metassl {command}`: see its line {number}") from error
    return found


def torn_lines(path: Path) -> list[int]:
    """The numbers of the lines that were left torn, from 1."""
    return [number for number, line in enumerate(_lines(path), start=1) if line.strip() and _is_torn(line)]


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise MetaSSLError(f"{path} cannot be read: {error.strerror or error}") from error


def _is_torn(line: bytes) -> bool:
    """Whether it is no whole line but the beginning of one of ours, or what a loss of power made of one: zeros."""
    text = line.strip(b"\0\r ")
    if not text.startswith(_BEGIN[: len(text)]):
        return False
    try:
        json.loads(text)
    except ValueError:
        return True
    return False


def add_run(path: Path, found: dict[str, Any]) -> None:
    """Append a line, after one that was left torn on a line of its own. Raises ProjectError when the disk is full."""
    line = json.dumps({"time": now(), "run": found}, ensure_ascii=False) + "\n"
    with writing(path), open(path, "a+b") as stream:
        end = stream.seek(0, os.SEEK_END)
        stream.seek(max(end - 1, 0))
        stream.write((b"" if stream.read(1) in (b"", b"\n") else b"\n") + line.encode("utf-8"))
        stream.flush()
        os.fsync(stream.fileno())
