"""The axes of a chart: round numbers, and where a value lies."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .markup import Markup, tag

WIDTH, HEIGHT = 480, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 12, 40

Points = Sequence[tuple[float, float]]


class Frame:
    """The axes of a chart, and where a value lies in it."""

    def __init__(
        self,
        x_max: float,
        ticks: Sequence[float],
        log: bool = False,
        percent: bool = False,
        x_percent: bool = False,
        size: tuple[int, int] = (WIDTH, HEIGHT),
    ) -> None:
        self.x_max, self.ticks, self.log = x_max or 1.0, ticks, log
        self.percent, self.x_percent = percent, x_percent
        self.right, self.bottom = size[0] - _RIGHT, size[1] - _BOTTOM
        self.low, self.high = self._scale(ticks[0]), self._scale(ticks[-1])

    def x(self, value: float) -> str:
        return rounded(_LEFT + (self.right - _LEFT) * value / self.x_max)

    def y(self, value: float) -> str:
        span = (self.high - self.low) or 1.0
        inside = min(max((self._scale(value) - self.low) / span, 0.0), 1.0)
        return rounded(self.bottom - (self.bottom - _TOP) * inside)

    def path(self, points: Points) -> str:
        return "".join(f"{'L' if index else 'M'}{self.x(x)} {self.y(y)}" for index, (x, y) in enumerate(points))

    def axes(self, x_title: str, names: Sequence[str] | None = None) -> list[Markup]:
        """`names`: what stands in the middle of 0..1, 1..2, ... on the x axis, instead of numbers."""
        drawn = []
        digits = max(len(f"{tick:g}".partition(".")[2]) for tick in self.ticks)
        for tick in self.ticks:
            y = self.y(tick)
            drawn.append(tag("line", x1=_LEFT, x2=self.right, y1=y, y2=y, class_="grid"))
            text = _percent(tick) if self.percent else f"{tick:g}" if self.log else f"{tick:.{digits}f}"
            drawn.append(_text(text, _LEFT - 8, float(y) + 4, "end"))
        if names is None:
            steps = [tick for tick in ticks_between(0.0, self.x_max) if tick <= self.x_max * 1.001]
            marks = [(tick, _percent(tick) if self.x_percent else f"{tick:,.10g}") for tick in steps]
        else:
            marks = [(place + 0.5, name) for place, name in enumerate(names)]
        for place, text in marks:
            drawn.append(_text(text, float(self.x(place)), self.bottom + 16, "middle"))
        middle = (_LEFT + self.right) / 2
        return [*drawn, _text(x_title, middle, self.bottom + 34, "middle", "axis")]

    def _scale(self, value: float) -> float:
        return math.log10(max(value, 1e-12)) if self.log else value


def ticks_between(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from at most `low` to at least `high`."""
    span = (high - low) or abs(high) or 1.0
    rough = span / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * nice for nice in (1, 2, 2.5, 5, 10) if power * nice >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * number, 10) for number in range(first, max(last, first + 1) + 1)]


def log_ticks(values: Sequence[float]) -> list[float]:
    """1, 2, 5 times powers of ten (fewer over a wide range) that enclose the values."""
    if not values:
        return [0.1, 1.0]
    first, last = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    steps = {1: (1, 2, 5), 2: (1, 3), 3: (1, 3)}.get(last - first, (1,))
    ticks = [s * 10.0**power for power in range(first, last + 1) for s in steps]
    low = max([t for t in ticks if t <= min(values)] or ticks[:1])
    high = min([t for t in ticks if t >= max(values)] or ticks[-1:])
    kept = [t for t in ticks if low <= t <= high]
    return kept if len(kept) > 1 else [kept[0], kept[0] * 10]


def _text(text: str, x: float, y: float, anchor: str, class_: str = "tick") -> Markup:
    return tag("text", text, x=rounded(x), y=rounded(y), text_anchor=anchor, class_=class_)


def _percent(share: float) -> str:
    return f"{100 * share:.10g}%"


def rounded(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
