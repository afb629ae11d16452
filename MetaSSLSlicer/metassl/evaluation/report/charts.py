"""Small charts as inline SVG. Colour is never the only sign: lines have dashes, parts codes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from metassl.project.regions import REGIONS
from metassl.project.words import percent

from .axes import HEIGHT, WIDTH, Frame, Points, log_ticks, rounded, ticks_between
from .markup import Markup, tag

REGION_COLORS = {region.key: region.color for region in REGIONS}
LINE_COLORS = ("#1f2a44", "#0072B2", "#D55E00", "#7a5195", "#009E73")
DASHES = (None, "6 3", "2 3", "9 3 2 3", "4 2 1 2")
MAX_POINTS = 240


@dataclass(frozen=True)
class Line:
    """A named line of points (x, y)."""

    name: str
    points: Points


def line_chart(lines: Sequence[Line], x_title: str, label: str, log: bool = False, dots: bool = False) -> Markup:
    """Lines over a common axis, with a legend. `log`: the y axis is logarithmic."""
    lines = [Line(line.name, thinned(line.points)) for line in lines]
    values = [y for line in lines for _, y in line.points if y > 0 or not log]
    ticks = log_ticks(values) if log else ticks_between(min([0.0, *values]), max(values, default=1.0))
    frame = Frame(_last_x(lines), ticks, log)
    drawn = []
    for index, line in enumerate(lines):
        style = {"stroke": _pick(LINE_COLORS, index), "stroke_dasharray": _pick(DASHES, index)}
        points = [(x, y) for x, y in line.points if y > 0 or not log]
        drawn.append(tag("path", d=frame.path(points), class_="line", **style))
        if dots:
            drawn += [tag("circle", cx=frame.x(x), cy=frame.y(y), r=3.5, fill=style["stroke"]) for x, y in points]
    chart = _svg(WIDTH, HEIGHT, label, frame.axes(x_title), drawn)
    return tag("div", chart, _line_legend([line.name for line in lines]))


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
        area = {"d": f"{frame.path(outline)}Z", "fill": REGION_COLORS[name]}
        drawn.append(tag("path", class_="area", **area))
        below = above
    return tag(
        "div",
        _svg(WIDTH, HEIGHT, label, frame.axes(x_title), drawn),
        region_legend(lines),
    )


def region_legend(names: Mapping[str, object] | Sequence[str]) -> Markup:
    """The colours and codes of some regions, in a line."""
    return tag("p", [[swatch(name), " "] for name in names], class_="legend")


def swatch(name: str) -> Markup:
    """The code of a region on its colour."""
    return tag("span", name, class_=f"swatch {name.lower()}")


def share_bar(shares: Mapping[str, float | None], label: str, short: bool = False) -> Markup:
    """One bar of the four regions; wide parts carry their code and, unless `short`, their share."""
    total = sum(share or 0.0 for share in shares.values()) or 1.0
    parts = []
    for name, amount in shares.items():
        share = (amount or 0.0) / total
        if share > 0:
            wide = not short and share > 0.16
            text = f"{name} {percent(share)}" if wide else name if share > 0.07 else ""
            style = f"width:{100 * share:.3f}%"
            parts.append(tag("span", text, style=style, class_=f"part {name.lower()}"))
    return tag("div", parts, class_="sharebar", role="img", aria_label=label)


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
    if None not in ends:
        drawn.append(tag("line", x1=x(ends[0]), x2=x(ends[1]), class_="interval", **level))
    drawn.append(tag("line", x1=x(mean), x2=x(mean), y1=4, y2=height - 4, class_="mean"))
    return _svg(width, height, label, drawn, class_="strip")


def reliability_chart(bins: Sequence[Mapping[str, float]], label: str) -> Markup:
    """Error rate against uncertainty; the diagonal is a perfectly calibrated map."""
    frame = Frame(1.0, [0.0, 0.25, 0.5, 0.75, 1.0], percent=True, x_percent=True, size=(320, 300))
    most = max((row["voxels"] for row in bins), default=1)
    diagonal = tag("path", d=frame.path([(0, 0), (1, 1)]), class_="diagonal")
    points = [(row["uncertainty"], row["error_rate"]) for row in bins]
    drawn = [diagonal, tag("path", d=frame.path(points), class_="line", stroke=LINE_COLORS[1])]
    for row, (x, y) in zip(bins, points, strict=True):
        radius = 2.5 + 4.5 * math.log1p(row["voxels"]) / math.log1p(most)
        drawn.append(tag("circle", cx=frame.x(x), cy=frame.y(y), r=rounded(radius), fill=LINE_COLORS[1]))
    return _svg(320, 300, label, frame.axes("uncertainty"), drawn)


def thinned(points: Points, most: int = MAX_POINTS) -> list[tuple[float, float]]:
    """At most `most` points: neighbours are replaced by their mean."""
    step = math.ceil(len(points) / most) if points else 1
    if step == 1:
        return list(points)
    groups = [points[first : first + step] for first in range(0, len(points), step)]
    return [(sum(x for x, _ in g) / len(g), sum(y for _, y in g) / len(g)) for g in groups]


def _line_legend(names: Sequence[str]) -> Markup:
    entries = []
    for index, name in enumerate(names):
        style = {"stroke": _pick(LINE_COLORS, index), "stroke_dasharray": _pick(DASHES, index)}
        line = tag("line", x1=0, x2=26, y1=5, y2=5, class_="line", **style)
        sample = tag("svg", line, viewBox="0 0 26 10", class_="sample", aria_hidden="true")
        entries.append(tag("span", sample, name, class_="entry"))
    return tag("p", entries, class_="legend")


def _last_x(lines: Sequence[Line]) -> float:
    return max((x for line in lines for x, _ in line.points), default=1.0)


def _svg(width: int, height: int, label: str, *content, class_: str = "chart") -> Markup:
    box = f"0 0 {width} {height}"
    return tag("svg", *content, viewBox=box, class_=class_, role="img", aria_label=label)


def _pick(options: Sequence, index: int):
    return options[index % len(options)]
