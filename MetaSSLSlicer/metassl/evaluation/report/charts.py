"""Small charts as inline SVG. Colour is never the only sign: lines have dashes, parts codes.

The colours are those of the page's style, by class (`s0` ... `s4` for lines), so that they suit a dark page too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from .words import percent, shown

WIDTH, HEIGHT = 480, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 12, 40
SERIES = 5
MAX_POINTS = 240

Points = Sequence[tuple[float, float]]


def tag(name: str, /, *content: Any, **attributes: Any) -> Markup:
    """An element. What is not markup is escaped; lists are flattened, None is left out.

    Attributes: `class_` is class, `_` is `-`; those that are None are left out.
    """
    given = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items() if value is not None}
    head = "".join(f' {key}="{escape(shown(value))}"' for key, value in given.items())
    return Markup(f"<{name}{head}>{_joined(content)}</{name}>")


def _joined(content: Any) -> str:
    if isinstance(content, list | tuple):
        return "".join(_joined(piece) for piece in content if piece is not None)
    return str(escape(shown(content)))


@dataclass(frozen=True)
class Line:
    """A named line of points (x, y)."""

    name: str
    points: Points


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
            text = _per_cent(tick) if self.percent else f"{tick:g}" if self.log else f"{tick:.{digits}f}"
            drawn.append(_text(text, _LEFT - 8, float(y) + 4, "end"))
        if names is None:
            steps = [tick for tick in ticks_between(0.0, self.x_max) if tick <= self.x_max * 1.001]
            marks = [(tick, _per_cent(tick) if self.x_percent else f"{tick:,.10g}") for tick in steps]
        else:
            marks = [(place + 0.5, name) for place, name in enumerate(names)]
        for place, text in marks:
            drawn.append(_text(text, float(self.x(place)), self.bottom + 16, "middle"))
        middle = (_LEFT + self.right) / 2
        return [*drawn, _text(x_title, middle, self.bottom + 34, "middle", "axis")]

    def _scale(self, value: float) -> float:
        return math.log10(max(value, 1e-12)) if self.log else value


def line_chart(lines: Sequence[Line], x_title: str, label: str, log: bool = False, dots: bool = False) -> Markup:
    """Lines over a common axis, with a legend; a line of one point is a dot. `log`: the y axis is logarithmic."""
    lines = [Line(line.name, thinned(line.points)) for line in lines]
    values = [y for line in lines for _, y in line.points if y > 0 or not log]
    ticks = log_ticks(values) if log else ticks_between(min([0.0, *values]), max(values, default=1.0))
    frame = Frame(max((x for line in lines for x, _ in line.points), default=1.0), ticks, log)
    drawn: list[Markup] = []
    entries = []
    for index, line in enumerate(lines):
        series = f"s{index % SERIES}"
        points = [(x, y) for x, y in line.points if y > 0 or not log]
        drawn.append(tag("path", d=frame.path(points), class_=f"line {series}"))
        if dots or len(points) == 1:
            drawn += [tag("circle", cx=frame.x(x), cy=frame.y(y), r=3.5, class_=f"point {series}") for x, y in points]
        sample = tag("line", x1=0, x2=26, y1=5, y2=5, class_=f"line {series}")
        drawing = tag("svg", sample, viewBox="0 0 26 10", class_="sample", aria_hidden="true")
        entries.append(tag("span", drawing, line.name, class_="entry"))
    return tag("div", _svg(WIDTH, HEIGHT, label, frame.axes(x_title), drawn), tag("p", entries, class_="legend"))


def region_chart(shares: Mapping[str, Points], x_title: str, label: str) -> Markup:
    """Shares of US, DC and DS stacked over the steps; what is left above them is UC."""
    lines = {name: thinned(points) for name, points in shares.items() if points}
    count = min((len(points) for points in lines.values()), default=0)
    steps = [x for x, _ in next(iter(lines.values()), [])[:count]]
    tops = [sum(points[index][1] for points in lines.values()) for index in range(count)]
    frame = Frame(max(steps, default=1.0), ticks_between(0.0, max(tops, default=1.0)), percent=True)
    below, drawn = [0.0] * count, []
    for name, points in lines.items():
        above = [low + y for low, (_, y) in zip(below, points[:count], strict=True)]
        outline = [*zip(steps, above, strict=True), *reversed([*zip(steps, below, strict=True)])]
        drawn.append(tag("path", d=f"{frame.path(outline)}Z", class_=f"area {name.lower()}"))
        below = above
    return tag("div", _svg(WIDTH, HEIGHT, label, frame.axes(x_title), drawn), region_legend(lines))


def region_legend(names: Mapping[str, object] | Sequence[str]) -> Markup:
    """The colours and codes of some regions, in a line."""
    return tag("p", [[swatch(name), " "] for name in names], class_="legend")


def swatch(name: str) -> Markup:
    """The code of a region on its colour."""
    return tag("span", name, class_=f"swatch {name.lower()}")


def share_bar(shares: Mapping[str, float | None], label: str) -> Markup:
    """One bar of the four regions; wide parts carry their code and their share, narrow ones their code or nothing."""
    total = sum(share or 0.0 for share in shares.values()) or 1.0
    parts = []
    for name, amount in shares.items():
        share = (amount or 0.0) / total
        if share > 0:
            text = f"{name} {percent(share)}" if share > 0.18 else name if share > 0.05 else None
            parts.append(tag("span", text, style=f"width:{100 * share:.3f}%", class_=f"part {name.lower()}"))
    told = ", ".join(f"{name} {percent((amount or 0.0) / total)}" for name, amount in shares.items())
    return tag("div", parts, class_="sharebar", role="img", aria_label=f"{label}: {told}")


def dot_strip(values: Sequence[float], mean: float, ends: Sequence[float | None], low: float, label: str) -> Markup:
    """One dot for each case between `low` and 1, with the mean and its interval."""
    width, height, middle, pad = 260, 30, 15, 6

    def x(value: float) -> str:
        inside = min(max((value - low) / (1 - low), 0.0), 1.0)
        return rounded(pad + inside * (width - 2 * pad))

    level = {"y1": middle, "y2": middle}
    drawn = [tag("line", x1=pad, x2=width - pad, class_="grid", **level)]
    for index, value in enumerate(values):
        y = middle + (index % 5 - 2) * 2.4
        drawn.append(tag("circle", cx=x(value), cy=rounded(y), r=3, class_="dot"))
    first, last = ends
    if first is not None and last is not None:
        drawn.append(tag("line", x1=x(first), x2=x(last), class_="interval", **level))
    drawn.append(tag("line", x1=x(mean), x2=x(mean), y1=4, y2=height - 4, class_="mean"))
    return _svg(width, height, label, drawn, class_="strip")


def reliability_chart(bins: Sequence[Mapping[str, float]], label: str) -> Markup:
    """Error rate against uncertainty; the diagonal is a perfectly calibrated map."""
    frame = Frame(1.0, [0.0, 0.25, 0.5, 0.75, 1.0], percent=True, x_percent=True, size=(320, 300))
    most = max((row["voxels"] for row in bins), default=1)
    points = [(row["uncertainty"], row["error_rate"]) for row in bins]
    drawn = [tag("path", d=frame.path([(0, 0), (1, 1)]), class_="diagonal")]
    drawn.append(tag("path", d=frame.path(points), class_="line s1 reliability"))
    for row, (x, y) in zip(bins, points, strict=True):
        radius = 2.5 + 4.5 * math.log1p(row["voxels"]) / math.log1p(most)
        drawn.append(tag("circle", cx=frame.x(x), cy=frame.y(y), r=rounded(radius), class_="point s1"))
    return _svg(320, 300, label, frame.axes("uncertainty, % of the largest possible"), drawn)


def thinned(points: Points, most: int = MAX_POINTS) -> list[tuple[float, float]]:
    """At most `most` points: neighbours are replaced by their mean."""
    step = math.ceil(len(points) / most) if points else 1
    if step == 1:
        return list(points)
    groups = [points[first : first + step] for first in range(0, len(points), step)]
    return [(sum(x for x, _ in g) / len(g), sum(y for _, y in g) / len(g)) for g in groups]


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


def rounded(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _per_cent(share: float) -> str:
    return f"{100 * share:.10g}%"


def _text(text: str, x: float, y: float, anchor: str, class_: str = "tick") -> Markup:
    return tag("text", text, x=rounded(x), y=rounded(y), text_anchor=anchor, class_=class_)


def _svg(width: int, height: int, label: str, *content: Any, class_: str = "chart") -> Markup:
    return tag("svg", *content, viewBox=f"0 0 {width} {height}", class_=class_, role="img", aria_label=label)
