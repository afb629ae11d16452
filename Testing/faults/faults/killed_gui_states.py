"""What is drawn, one state after the other, so that an array tells which state it is; and notes that outlast a kill."""

from __future__ import annotations

from os import fsync  # as it is now: the children put one that kills in its place
from pathlib import Path

import numpy as np

from .killed_worker_cohort import BALL, SHAPE

CASE = "ball2"


def state(number: int) -> np.ndarray:
    """The segmentation, uint8 (z, y, x), after so many strokes; nothing is drawn in number 0."""
    drawn = np.random.default_rng(number).random(SHAPE) < 0.3
    return (BALL * drawn * (number > 0)).astype(np.uint8)


class Notes:
    """A file of lines "word number", each on the disk before the next thing is done. It is not in the project."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, word: str, number: int) -> None:
        with open(self.path, "a", encoding="utf-8") as stream:
            stream.write(f"{word} {number}\n")
            stream.flush()
            fsync(stream.fileno())

    def last(self, *words: str) -> int:
        """The number of the last line with one of these words, 0 when there is none."""
        return max(self.all(*words), default=0)

    def all(self, *words: str) -> list[int]:
        """The numbers of all lines with one of these words."""
        return [int(number) for word, number in self._lines() if word in words]

    def last_word(self) -> str:
        """The word of the last line, "" when there is none."""
        return next((word for word, _ in reversed(self._lines())), "")

    def _lines(self) -> list[list[str]]:
        lines = self.path.read_text(encoding="utf-8").split("\n")[:-1] if self.path.exists() else []
        return [line.split() for line in lines]
