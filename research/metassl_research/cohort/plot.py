"""Cases finished against minutes of a person, and where the minutes go, as one SVG file."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from metassl.evaluation.report.charts import WIDTH, Frame, rounded, tag, ticks_between

from metassl_research.cohort.costs import KINDS
from metassl_research.cohort.summary import Figures
from metassl_research.svg import COLORS, DASHES, svg_file

PANEL = (WIDTH, 300)
TOP = 28
ROW = 22
FILLS = ("#7a8699", "#56B4E9", "#D55E00", "#1f2a44")
"""Of open, look, correct, draw."""


def svg(found: Sequence[Figures]) -> str:
    """Means over the seeds."""
    height = TOP + max(PANEL[1] + 24 * (1 + (len(found) - 1) // 3), ROW * (len(found) + 3)) + 8
    return svg_file(
        2 * WIDTH,
        height,
        "Until every case has its final label",
        tag("g", _course(found), transform=f"translate(0 {TOP})"),
        tag("g", _bars(found), transform=f"translate({WIDTH} {TOP})"),
    )


def _course(found: Sequence[Figures]) -> list[Markup]:
    courses = [each.course.mean(axis=0) for each in found]
    frame = Frame(max(float(each[-1]) for each in courses), ticks_between(0, len(courses[0])), size=PANEL)
    drawn = frame.axes("minutes of a person (by assumed costs); upwards: cases finished")
    for index, course in enumerate(courses):
        points = [(0.0, 0.0), *((float(minutes), place) for place, minutes in enumerate(course, start=1))]
        drawn.append(tag("path", d=frame.path(points), class_="line", **_stroke(index)))
    for index, each in enumerate(found):
        x, y = 52 + (index % 3) * 145, PANEL[1] + 20 + 24 * (index // 3)
        drawn.append(tag("line", x1=x, x2=x + 26, y1=y - 4, y2=y - 4, class_="line", **_stroke(index)))
        drawn.append(tag("text", each.arm, x=x + 32, y=y))
    return drawn


def _bars(found: Sequence[Figures]) -> list[Markup]:
    """A bar for each arm, the cheapest on top, with its minutes and the Dice that they brought."""
    left, right = 150.0, WIDTH - 105.0
    most = max(float(each.total.mean()) for each in found) or 1.0
    drawn = []
    for row, each in enumerate(sorted(found, key=lambda each: each.total.mean())):
        y, x = ROW * row + 8, left
        drawn.append(tag("text", each.arm, x=left - 8, y=y + 13, text_anchor="end"))
        for kind, fill in zip(KINDS, FILLS, strict=True):
            width = (right - left) * float(each.minutes[kind].mean()) / most
            drawn.append(tag("rect", x=rounded(x), y=y, width=rounded(width), height=ROW - 6, fill=fill))
            x += width
        told = f"{each.total.mean():.0f} min, {each.dice.mean():.3f}"
        drawn.append(tag("text", told, x=rounded(x + 6), y=y + 13, class_="tick"))
    y = ROW * len(found) + 20
    for place, (kind, fill) in enumerate(zip(KINDS, FILLS, strict=True)):
        drawn.append(tag("rect", x=left + 75 * place, y=y, width=12, height=12, fill=fill))
        drawn.append(tag("text", kind, x=left + 75 * place + 17, y=y + 11))
    drawn.append(tag("text", "minutes, and mean Dice of the final labels", x=left, y=y + 34, class_="tick"))
    return drawn


def _stroke(index: int) -> dict[str, str | None]:
    return {"stroke": COLORS[index % len(COLORS)], "stroke_dasharray": DASHES[index % len(DASHES)]}
