"""Dice against the number of labels and against minutes of annotation, as one SVG file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from metassl.evaluation.report.charts import WIDTH, Frame, rounded, tag, ticks_between

from metassl_research.simulation.curves import Curve
from metassl_research.svg import COLORS, DASHES, svg_file

PANEL = (WIDTH, 300)
TOP = 28


def svg(curves: Sequence[Curve]) -> str:
    """Means over the seeds; in the left panel with one standard error to each side."""
    dice = np.concatenate([curve.dice.mean(axis=0) for curve in curves])
    ticks = ticks_between(float(dice.min()), float(dice.max()))
    by_labels = [(curve.labels, curve.dice) for curve in curves]
    by_minutes = [(curve.minutes.mean(axis=0), curve.dice) for curve in curves]
    left = _panel(by_labels, ticks, "labelled cases", bands=True)
    right = _panel(by_minutes, ticks, "minutes of annotation (assumed, not measured)")
    height = TOP + PANEL[1] + 24 * (1 + (len(curves) - 1) // 4) + 8
    return svg_file(
        2 * WIDTH,
        height,
        "Dice on the test cases",
        tag("g", left, transform=f"translate(0 {TOP})"),
        tag("g", right, transform=f"translate({WIDTH} {TOP})"),
        _legend(curves, TOP + PANEL[1] + 20),
    )


def _panel(
    lines: Sequence[tuple[np.ndarray, np.ndarray]], ticks: list[float], title: str, bands: bool = False
) -> list[Markup]:
    """lines: x (R + 1,) and values (S, R + 1) of each strategy."""
    frame = Frame(float(max(x.max() for x, _ in lines)), ticks, size=PANEL)
    drawn = frame.axes(title)
    for index, (x, values) in enumerate(lines):
        mean, error = values.mean(axis=0), _standard_error(values)
        if bands and error is not None:
            outline = [*zip(x, mean + error, strict=True), *reversed([*zip(x, mean - error, strict=True)])]
            drawn.append(tag("path", d=f"{frame.path(outline)}Z", fill=_color(index), class_="band"))
    for index, (x, values) in enumerate(lines):
        points = [*zip(x, values.mean(axis=0), strict=True)]
        drawn.append(tag("path", d=frame.path(points), class_="line", **_stroke(index)))
        drawn += [tag("circle", cx=frame.x(a), cy=frame.y(b), r=3, fill=_color(index)) for a, b in points]
    return drawn


def _legend(curves: Sequence[Curve], top: float) -> list[Markup]:
    drawn = []
    for index, curve in enumerate(curves):
        x, y = 52 + (index % 4) * 225, top + 24 * (index // 4)
        drawn.append(tag("line", x1=x, x2=x + 30, y1=y - 4, y2=y - 4, class_="line", **_stroke(index)))
        drawn.append(tag("text", curve.strategy, x=x + 38, y=rounded(y)))
    return drawn


def _standard_error(values: np.ndarray) -> np.ndarray | None:
    return values.std(axis=0, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else None


def _stroke(index: int) -> dict[str, str | None]:
    return {"stroke": _color(index), "stroke_dasharray": DASHES[index % len(DASHES)]}


def _color(index: int) -> str:
    return COLORS[index % len(COLORS)]
