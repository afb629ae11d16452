"""What a job tells the world, as history: numbered JSON lines, appended by one writer, read by many.

A writer may die in the middle of a line and a reader may look at any moment, so a line counts
only when it ends with a newline and holds an object with "seq" and "event".
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from metassl.files.atomic import make_folder, writing
from metassl.files.json_files import parse_json
from metassl.files.json_kinds import Kind, by_name, having, maybe, number, text, whole
from metassl.project.cases import now

_TAIL_BYTES = 1 << 20


class Dice(TypedDict, total=False):
    """The mean over all structures, and that of each by its name; None where it is not known."""

    mean: float | None
    per_class: dict[str, float | None]


@dataclass
class Event:
    """One line of events.jsonl. What it does not tell is None, or empty; `more` is what only its writer knows.

    Times are ISO 8601, `seconds`, `eta_s` and `seconds_per_step` in seconds. `code` is of which kind the failure
    is (an ErrorCode), `message` tells it to people.
    """

    seq: int
    event: str
    time: str = ""
    stage: str = ""
    step: int | None = None
    total: int | None = None
    eta_s: float | None = None
    seconds: float | None = None
    seconds_per_step: float | None = None
    data_wait_share: float | None = None
    memory_mb: float | None = None
    lr: float | None = None
    loss: dict[str, float | None] | None = None
    regions: dict[str, float | None] | None = None
    uncertainty: dict[str, float | None] | None = None
    dice: Dice | None = None
    cases: int | None = None
    message: str = ""
    hint: str = ""
    code: str = ""
    device: str = ""
    device_name: str = ""
    precision: str = ""
    threads: int | None = None
    pid: int | None = None
    resumed_from: int | None = None
    case: str = ""
    reason: str = ""
    file: str = ""
    rung: str = ""
    count: int | None = None
    summary: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def of(document: Any) -> Event | None:
        """The event that a JSON value holds, or None. A field that is not what it should be is left out."""
        if not isinstance(document, dict) or not isinstance(document.get("event"), str):
            return None
        if not whole(document.get("seq")):
            return None
        known = {
            name: value
            for name, value in document.items()
            if name in EVENT_KINDS and value is not None and EVENT_KINDS[name](value)
        }
        return Event(**known, more={name: value for name, value in document.items() if name not in EVENT_KINDS})

    @staticmethod
    def parse(line: bytes) -> Event | None:
        """The event on a line; None when it is none."""
        try:
            return Event.of(parse_json(line))
        except ValueError:
            return None

    def to_json(self) -> dict[str, Any]:
        """What it tells, as its line says it."""
        told = {name: value for name, value in asdict(self).items() if name != "more" and value != _DEFAULTS[name]}
        return {**told, **self.more}


_numbers = by_name(maybe(number))
_OF_TYPE: dict[str, Kind] = {
    "int": whole,
    "int | None": whole,
    "str": text,
    "float | None": number,
    "Dice | None": having(mean=number, per_class=_numbers),
    "dict[str, float | None] | None": _numbers,
}
EVENT_KINDS: dict[str, Kind] = {each.name: _OF_TYPE[str(each.type)] for each in fields(Event) if each.name != "more"}
_DEFAULTS = {each.name: each.default for each in fields(Event) if each.name != "more"}


class EventWriter:
    """Appends events to a file, going on with the numbers that are there already."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        make_folder(self.path.parent, parents=False)
        self._next = last_number(self.path) + 1
        self._torn = _ends_torn(self.path)

    @property
    def last(self) -> int:
        """The number of the last event."""
        return self._next - 1

    def write(self, event: str, **fields: Any) -> Event:
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
        told = Event.of(entry)
        assert told is not None
        return told


class EventReader:
    """Reads what is new at the end of a file of events; the file need not exist yet."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.offset = 0
        """Up to where the file was read."""

    def read_new(self, limit_bytes: int | None = None) -> list[Event]:
        """The events since the last call. Blank, torn and invalid lines are left out.

        A last line without its newline is left for the next call. `limit_bytes` bounds the work of one call (a longer
        line is still read whole). A file that became shorter, as after a power loss, is read anew.
        """
        try:
            with open(self.path, "rb") as stream:
                if stream.seek(0, os.SEEK_END) < self.offset:
                    self.offset = 0
                stream.seek(self.offset)
                data = stream.read(-1 if limit_bytes is None else limit_bytes)
                if limit_bytes is not None and not data.endswith(b"\n"):
                    data += stream.readline()
        except OSError:
            return []
        lines = data[: data.rfind(b"\n") + 1]
        self.offset += len(lines)
        return [event for line in lines.split(b"\n") if line and (event := Event.parse(line)) is not None]

    def skip_middle(self, tail_bytes: int) -> bool:
        """Leave out what is more than `tail_bytes` before the end; the next read begins with a whole line.

        For a quick look at a long file. Returns whether anything was left out.
        """
        try:
            with open(self.path, "rb") as stream:
                start = stream.seek(0, os.SEEK_END) - tail_bytes
                if start <= self.offset:
                    return False
                stream.seek(start - 1)
                stream.readline()  # the rest of a line, or just the newline before `start`
                self.offset = stream.tell()
                return True
        except OSError:
            return False


def read_events(path: Path) -> list[Event]:
    """All events in a file; an empty list when it does not exist."""
    return EventReader(path).read_new()


def last_number(path: Path) -> int:
    """The number of the last event in a file, 0 when it has none. Of a long file only the end is read."""
    try:
        with open(path, "rb") as stream:
            for tail in (_TAIL_BYTES, None):
                stream.seek(0 if tail is None else max(stream.seek(0, os.SEEK_END) - tail, 0))
                # also one that lacks nothing but its newline: the next line will make it count
                events = filter(None, map(Event.parse, stream.read().split(b"\n")))
                if found := max((event.seq for event in events), default=0):
                    return found
    except OSError:
        pass
    return 0


def _ends_torn(path: Path) -> bool:
    """Whether a file ends without a newline; False when it is empty, or there is none."""
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
    if isinstance(value, (np.generic, np.ndarray)):
        return _plain(value.tolist())
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (str, int, float)):
        return value
    return str(value)
