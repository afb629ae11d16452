"""What a job tells the world: numbered JSON lines, appended by one writer, read by many.

A writer may die in the middle of a line and a reader may look at any moment, so a line counts
only when it ends with a newline and holds an object with "seq" and "event".
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from ..project.cases import now
from ..project.files import make_folder, writing


class EventWriter:
    """Appends events to a file, going on with the numbers that are there already."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        make_folder(self.path.parent)
        self._next = max((event["seq"] for event in read_events(self.path)), default=0) + 1
        self._torn = _ends_torn(self.path)

    def write(self, event: str, **fields: Any) -> dict[str, Any]:
        """Append one event and return it. Numbers that JSON does not know become null.

        Raises ProjectError when the disk is full; a line begun then is closed by the next write.
        """
        entry = {"seq": self._next, "time": now(), "event": event, **_plain(fields)}
        line = json.dumps(entry, ensure_ascii=False, allow_nan=False) + "\n"
        data = ("\n" + line if self._torn else line).encode("utf-8")
        self._torn = True
        with writing(self.path), open(self.path, "ab", buffering=0) as stream:
            while data:
                data = data[stream.write(data) :]
        self._torn = False
        self._next += 1
        return entry


class EventReader:
    """Reads what is new in a file of events; the file need not exist yet."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._offset = 0

    def read_new(self, limit_bytes: int | None = None) -> list[dict[str, Any]]:
        """The events since the last call. Blank, torn and invalid lines are left out.

        A last line without its newline is left for the next call. `limit_bytes` bounds the work of
        one call (a longer line is still read whole). A file that became shorter is read anew.
        """
        try:
            with open(self.path, "rb") as stream:
                if stream.seek(0, os.SEEK_END) < self._offset:
                    self._offset = 0
                stream.seek(self._offset)
                data = stream.read(-1 if limit_bytes is None else limit_bytes)
                if limit_bytes is not None and not data.endswith(b"\n"):
                    data += stream.readline()
        except OSError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        events = (_parse(line) for line in whole.split(b"\n"))
        return [event for event in events if event is not None]

    def skip_middle(self, tail_bytes: int) -> bool:
        """Leave out what is more than `tail_bytes` before the end; the next read begins with a whole line.

        For a quick look at a long file. Returns whether anything was left out.
        """
        try:
            with open(self.path, "rb") as stream:
                start = stream.seek(0, os.SEEK_END) - tail_bytes
                if start <= self._offset:
                    return False
                stream.seek(start - 1)
                stream.readline()  # the rest of a line, or just the newline before `start`
                self._offset = stream.tell()
        except OSError:
            return False
        return True


def read_events(path: Path) -> list[dict[str, Any]]:
    """All events in a file; an empty list when it does not exist."""
    return EventReader(path).read_new()


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        return None
    return event if type(event.get("seq")) is int else None


def _ends_torn(path: Path) -> bool:
    try:
        with open(path, "rb") as stream:
            if stream.seek(0, os.SEEK_END) == 0:
                return False
            stream.seek(-1, os.SEEK_END)
            return stream.read(1) != b"\n"
    except FileNotFoundError:
        return False


def _plain(value: Any) -> Any:
    """`value` as JSON can hold it."""
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | int | float):
        return value
    return str(value)
