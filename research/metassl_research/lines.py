"""A results file of one line a run, which only grows: what a killed process left torn is not read, and done again.

{"time", "run": {the fields of the run, and what was measured of it}}
"""

from __future__ import annotations

import json
import os
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from metassl.files.atomic import writing
from metassl.files.errors import MetaSSLError
from metassl.project.cases import now

AnyRun = TypeVar("AnyRun")


def read_lines(path: Path, kind: type[AnyRun], command: str, usual: dict[str, Any]) -> dict[AnyRun, dict[str, Any]]:
    """{run: what is known of it} of a file that need not exist. MetaSSLError when it holds something else.

    kind: a frozen dataclass, which tells one run from the others; usual: what runs without a word of it had.
    """
    if not path.exists():
        return {}
    found = {}
    for line in path.read_bytes().splitlines():
        try:
            known = {**usual, **json.loads(line)["run"]}
            run = kind(**{each.name: known[each.name] for each in fields(kind)})  # type: ignore[arg-type]
        except json.JSONDecodeError:
            continue
        except (KeyError, TypeError) as error:
            raise MetaSSLError(f"{path} holds no results of `metassl {command}`") from error
        found[run] = known
    return found


def add_run(path: Path, found: dict[str, Any]) -> None:
    """Append a line, after one that was left torn on a line of its own. Raises ProjectError when the disk is full."""
    line = json.dumps({"time": now(), "run": found}, ensure_ascii=False) + "\n"
    with writing(path), open(path, "a+b") as stream:
        end = stream.seek(0, os.SEEK_END)
        stream.seek(max(end - 1, 0))
        stream.write((b"" if stream.read(1) in (b"", b"\n") else b"\n") + line.encode("utf-8"))
        stream.flush()
        os.fsync(stream.fileno())
