"""What a reader has read of a file that is being written, perhaps on another machine: is it still so?"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO

_TAIL_BYTES = 256
_REMEMBERED = 50_000


@dataclass(frozen=True)
class _Mark:
    """A place in a file, and the bytes that stand before it."""

    place: int
    before: bytes

    def stands(self, stream: IO[bytes]) -> bool:
        if stream.seek(0, os.SEEK_END) < self.place:
            return False
        stream.seek(self.place - len(self.before))
        return stream.read(len(self.before)) == self.before


class ReadHistory:
    """The lines that were read up to some place in a file, so that each counts once.

    On a network share a file may seem shorter for a moment, and zeros may stand where bytes will come that are older
    than those behind them; after a power loss a file may really have lost its end, or keep zeros for good.
    """

    def __init__(self) -> None:
        self._begin = _Mark(0, b"")
        """Where to read from when the file is not what it was; of lines before it nothing is known any more."""
        self._later = self._begin
        self._tail = b""
        self.holes: list[tuple[int, int]] = []
        """Where zeros stand in the place of lines: (start, end)."""
        self._given: set[int] = set()
        self._given_earlier: set[int] = set()

    def is_still_there(self, stream: IO[bytes], end: int) -> bool:
        """Whether the file is what it was up to the place `end`, where reading stopped."""
        return _Mark(end, self._tail).stands(stream)

    def go_to(self, stream: IO[bytes], place: int) -> None:
        """Reading goes on at `place`, and never before it."""
        start = max(place - _TAIL_BYTES, 0)
        stream.seek(start)
        self._start_from(_Mark(place, stream.read(place - start)))

    def go_back(self, stream: IO[bytes]) -> int:
        """Reading begins anew; returns where."""
        self._start_from(self._begin if self._begin.stands(stream) else _Mark(0, b""))
        return self._begin.place

    def _start_from(self, mark: _Mark) -> None:
        self._begin = self._later = mark
        self._tail, self.holes = mark.before, []

    def note(self, lines: bytes, place: int) -> None:
        """Whole lines were read at `place`."""
        if len(self._given) > _REMEMBERED:
            self._given_earlier, self._given = self._given, set()
            self._begin, self._later = self._later, _Mark(place, self._tail)
        zero = lines.find(0)
        while zero >= 0:
            start, end = lines.rfind(b"\n", 0, zero) + 1, lines.find(b"\n", zero) + 1
            self.holes.append((place + start, place + end))
            zero = lines.find(0, end)
        self._tail = lines[-_TAIL_BYTES:]

    def came_late(self, stream: IO[bytes]) -> bytes:
        """The lines that are there now where zeros were."""
        lines, waiting = b"", []
        for start, end in self.holes:
            stream.seek(start)
            found = stream.read(end - start)
            if 0 in found:
                waiting.append((start, end))
            else:
                lines += found
        self.holes = waiting
        return lines

    def not_given(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """The lines that were never given before."""
        for line in lines:
            mark = hash(line)
            if mark not in self._given and mark not in self._given_earlier:
                self._given.add(mark)
                yield line
