"""What a job tells the world: numbered JSON lines, appended by one writer, read by many.

A writer may die in the middle of a line and a reader may look at any moment, so a line counts
only when it ends with a newline and holds an object with "seq" and "event".
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import IO, Any

import numpy as np

from metassl.files.atomic import make_folder, writing
from metassl.project.cases import now

from .event_fields import parse_event
from .history import ReadHistory

_BLOCK_BYTES = 1 << 20


class EventWriter:
    """Appends events to a file, going on with the numbers that are there already."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        make_folder(self.path.parent, parents=False)
        self._next = last_number(self.path) + 1
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
    """Reads what is new in a file of events, each event once; the file need not exist yet."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.disordered = False
        """True when the last call found more than new lines at the end: a line late or again, or the end gone."""
        self.offset = 0
        """Up to where the file was read."""
        self._history = ReadHistory()

    @property
    def holes(self) -> set[tuple[int, int]]:
        """Where zeros stand that may become lines: (start, end)."""
        return set(self._history.holes)

    def read_new(self, limit_bytes: int | None = None) -> list[dict[str, Any]]:
        """The events since the last call. Blank, torn and invalid lines are left out.

        A last line without its newline is left for the next call. `limit_bytes` bounds the work of
        one call (a longer line is still read whole). They come in the order of their numbers.
        """
        self.disordered = False
        try:
            with open(self.path, "rb") as stream:
                began_anew = not self._history.is_still_there(stream, self.offset)
                if began_anew:
                    self.offset = self._history.go_back(stream)
                stream.seek(self.offset)
                data = stream.read(-1 if limit_bytes is None else limit_bytes)
                if limit_bytes is not None and not data.endswith(b"\n"):
                    data += stream.readline()
                late = self._history.came_late(stream)  # last: once they are told of, no reading may fail
        except OSError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        if whole:
            self._history.note(whole, self.offset)
            self.offset += len(whole)
        lines = [line for line in (late + whole).split(b"\n") if line]
        new = list(self._history.not_given(lines))
        self.disordered = began_anew or bool(late) or len(new) < len(lines)
        events = map(parse_event, new)
        return sorted((event for event in events if event is not None), key=lambda event: event["seq"])

    def skip_middle(self, tail_bytes: int) -> bool:
        """Leave out what is more than `tail_bytes` before the end; the next read begins with a whole line.

        For a quick look at a long file. Returns whether anything was left out.
        """
        try:
            with open(self.path, "rb") as stream:
                return self._skip(stream, stream.seek(0, os.SEEK_END) - tail_bytes)
        except OSError:
            return False

    def skip_to_last(self, kind: str, tail_bytes: int) -> bool:
        """Leave out what is before the last event of `kind` and also more than `tail_bytes` before the end.

        Nothing is left out when there is no such event. Returns whether anything was.
        """
        try:
            with open(self.path, "rb") as stream:
                size = stream.seek(0, os.SEEK_END)
                place = self._last_place(stream, size, kind)
                return place is not None and self._skip(stream, min(place, size - tail_bytes))
        except OSError:
            return False

    def torn_line(self) -> dict[str, Any] | None:
        """The event on the last line when that lacks nothing but its newline."""
        try:
            with open(self.path, "rb") as stream:
                stream.seek(self.offset)
                return parse_event(stream.read())
        except OSError:
            return None

    def _skip(self, stream: IO[bytes], start: int) -> bool:
        """Go on with the first line that begins at `start` or later, if that is ahead."""
        if start <= self.offset:
            return False
        stream.seek(start - 1)
        stream.readline()  # the rest of a line, or just the newline before `start`
        self.offset = stream.tell()
        self._history.go_to(stream, self.offset)
        return True

    def _last_place(self, stream: IO[bytes], end: int, kind: str) -> int | None:
        """Where the last valid event of `kind` that was not read yet begins, or None."""
        mark = f'"event": "{kind}"'.encode()
        while (found := self._find_back(stream, mark, end)) is not None:
            line_end = self._find_back(stream, b"\n", found)
            end = self.offset if line_end is None else line_end + 1
            stream.seek(end)
            event = parse_event(stream.readline())
            if event is not None and event["event"] == kind:
                return end
        return None

    def _find_back(self, stream: IO[bytes], mark: bytes, end: int) -> int | None:
        """The last place before `end` where `mark` begins, or None."""
        while end > self.offset:
            start = max(end - _BLOCK_BYTES, self.offset)
            stream.seek(start)
            found = stream.read(end - start + len(mark) - 1).rfind(mark)
            if found >= 0:
                return start + found
            end = start
        return None


def last_number(path: Path) -> int:
    """The number of the last event in a file, 0 when it has none. Of a long file only the end is read."""
    reader = EventReader(path)
    reader.skip_middle(_BLOCK_BYTES)
    events = reader.read_new() or read_events(path)
    if (torn := reader.torn_line()) is not None:  # all but its newline: the next line will make it count
        events.append(torn)
    return max((event["seq"] for event in events), default=0)


def read_events(path: Path) -> list[dict[str, Any]]:
    """All events in a file; an empty list when it does not exist."""
    return EventReader(path).read_new()


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
    if isinstance(value, np.generic | np.ndarray):
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
