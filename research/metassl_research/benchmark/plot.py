"""Dice of every framework, plain and with MetaSSL side by side, as one SVG file; a panel for each number of labels."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup
from metassl.evaluation.report.charts import WIDTH, Frame, rounded, tag, ticks_between

from metassl_research.benchmark.settings import FLOOR, LOSS_ORDER
from metassl_research.benchmark.summary import Row, Summary
from metassl_research.svg import COLORS, DASHES, svg_file

LOSS_COLORS = dict(zip(LOSS_ORDER, (COLORS[1], COLORS[2], COLORS[0], COLORS[3], COLORS[4]), strict=True))
LINE_COLOR = COLORS[-1]
APART = 0.26  # of a framework's width, between two of its marks; less where there are more of them
TOP, HEIGHT = 28, 300


def svg(summary: Summary) -> str:
    """Means over the seeds of the last checkpoints, with one standard deviation to each side."""
    rows = [row for row in summary.rows if np.isfinite(row.values("last", "dice")).any()]
    ends = [end for row in rows for end in _ends(row)] or [0.0, 1.0]
    ticks = ticks_between(min(ends), min(max(ends), 1.0))
    frameworks = list(dict.fromkeys(row.framework for row in rows if row.role == ""))
    panels = [
        tag("g", _panel(summary, rows, frameworks, count, ticks), transform=f"translate({index * WIDTH} {TOP})")
        for index, count in enumerate(summary.counts)
    ]
    width = WIDTH * max(len(panels), 1)
    title = "Dice on the test cases, mean and standard deviation over the seeds"
    return svg_file(width, TOP + HEIGHT + 28, title, *panels, _legend(TOP + HEIGHT + 14, _losses(rows)))


def _panel(summary: Summary, rows: list[Row], frameworks: list[str], count: int, ticks: list[float]) -> list[Markup]:
    frame = Frame(float(max(len(frameworks), 1)), ticks, size=(WIDTH, HEIGHT))
    drawn = frame.axes(f"{count} labelled", frameworks)
    floor = summary.find(FLOOR, "plain", count)
    for row, dash in ((floor, DASHES[1]), (summary.ceiling, DASHES[2])):
        if row is not None and row in rows:
            y = frame.y(_mean(row))
            ends = {"x1": frame.x(0), "x2": frame.x(frame.x_max), "y1": y, "y2": y}
            drawn.append(tag("line", class_="line", stroke=LINE_COLOR, stroke_dasharray=dash, **ends))
    losses = _losses(rows)
    apart = min(APART, 0.8 / len(losses))
    for row in rows:
        if row.labelled == count and row.role == "":
            side = apart * (losses.index(row.loss) - (len(losses) - 1) / 2)
            drawn += _mark(frame, frameworks.index(row.framework) + 0.5 + side, row)
    return drawn


def _mark(frame: Frame, place: float, row: Row) -> list[Markup]:
    x, color = frame.x(place), LOSS_COLORS[row.loss]
    low, high = _ends(row)
    bar = tag("line", x1=x, x2=x, y1=frame.y(low), y2=frame.y(high), class_="line", stroke=color)
    title = tag("title", f"{row.framework}, {row.loss}, {row.labelled} labelled: {_mean(row):.4f}")
    shape = {"cx": x, "cy": frame.y(_mean(row)), "r": 4.5, "stroke": color, "stroke_width": 2}
    return [bar, tag("circle", title, fill=color if row.loss == "metassl" else "#ffffff", **shape)]


def _losses(rows: list[Row]) -> list[str]:
    return [loss for loss in LOSS_ORDER if any(row.loss == loss for row in rows)] or ["plain"]


def _legend(y: float, losses: list[str]) -> list[Markup]:
    drawn, x = [], 52.0
    for loss in losses:
        color = LOSS_COLORS[loss]
        fill = color if loss == "metassl" else "#ffffff"
        drawn.append(tag("circle", cx=x, cy=rounded(y), r=4.5, fill=fill, stroke=color, stroke_width=2))
        drawn.append(tag("text", loss, x=rounded(x + 12), y=rounded(y + 4)))
        x += 35 + 8 * len(loss)
    for name, dash in ((f"{FLOOR} only", DASHES[1]), ("all labels", DASHES[2])):
        drawn.append(tag("line", x1=x, x2=x + 30, y1=y, y2=y, class_="line", stroke=LINE_COLOR, stroke_dasharray=dash))
        drawn.append(tag("text", name, x=rounded(x + 38), y=rounded(y + 4)))
        x += 140
    return drawn


def _mean(row: Row) -> float:
    return float(np.nanmean(row.values("last", "dice")))


def _ends(row: Row) -> tuple[float, float]:
    values = row.values("last", "dice")
    deviation = float(np.nanstd(values, ddof=1)) if np.isfinite(values).sum() > 1 else 0.0
    return _mean(row) - deviation, _mean(row) + deviation
