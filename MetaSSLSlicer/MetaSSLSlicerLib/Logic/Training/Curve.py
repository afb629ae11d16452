"""A curve that grows while a training runs, and never beyond what a small picture can show."""

from __future__ import annotations

import math


class Curve:
    """Points (step, value) in order of their steps. When there are too many, every other one is left out."""

    def __init__(self, limit: int = 600) -> None:
        self._limit = limit
        self._points: list[tuple[int, float]] = []
        self._stride = 1
        self._seen = 0
        self._last: tuple[int, float] | None = None

    @property
    def points(self) -> list[tuple[int, float]]:
        """The points, with the latest one always among them."""
        last = [self._last] if self._last is not None and self._last not in self._points[-1:] else []
        return [*self._points, *last]

    def add(self, step: object, value: object) -> bool:
        """Append a point; returns whether it is one. A step back takes away what was learnt beyond it."""
        if not _isNumber(step) or not _isNumber(value):
            return False
        point = (int(step), float(value))
        while self._points and self._points[-1][0] >= point[0]:
            self._points.pop()
        self._last = point
        if self._seen % self._stride == 0:
            self._points.append(point)
        self._seen += 1
        if len(self._points) > self._limit:
            self._points = self._points[::2]
            self._stride *= 2
            self._seen = 1
        return True

    def clear(self) -> None:
        """Begin anew."""
        self._points, self._stride, self._seen, self._last = [], 1, 0, None


def _isNumber(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
