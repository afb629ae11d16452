"""Charts as files of their own: the charts of the report, on white, with colours that need no style sheet."""

from __future__ import annotations

from markupsafe import Markup
from metassl.evaluation.report.charts import tag

COLORS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#7a5195", "#1f2a44")
DASHES = (None, "6 3", "2 3", "9 3 2 3", "4 2 1 2")
STYLE = """
text { font: 12px system-ui, "Helvetica Neue", Arial, sans-serif; fill: #1a2233; }
.tick { fill: #5b6577; } .grid { stroke: #e1e5ec; } .line { fill: none; stroke-width: 2; } .band { opacity: 0.1; }
"""


def svg_file(width: float, height: float, title: str, *content: object) -> str:
    """The text of the file, on white; the title stands at its top left, in the first 28 units."""
    drawn = [
        tag("style", Markup(STYLE)),
        tag("rect", width=width, height=height, fill="#ffffff"),
        tag("text", title, x=8, y=18, font_weight="600"),
        *content,
    ]
    size = {"width": width, "height": height, "viewBox": f"0 0 {width} {height}"}
    return f"{tag('svg', drawn, xmlns='http://www.w3.org/2000/svg', **size)}\n"
