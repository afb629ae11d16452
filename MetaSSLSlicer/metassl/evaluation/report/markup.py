"""HTML and SVG from calls: whatever is not markup already is escaped, so no text can be code."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any

_VOID = {"img", "meta", "br", "col"}
_CONTROL = {code: None for code in range(32) if chr(code) not in "\t\n"} | {127: None}


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def tag(name: str, /, *content: Any, **attributes: Any) -> Markup:
    """An element. Attributes: `class_` is class, `_` is `-`; those that are None are left out."""
    head = [name]
    for key, value in attributes.items():
        if value is not None:
            head.append(f'{key.rstrip("_").replace("_", "-")}="{escape(value)}"')
    opening = f"<{' '.join(head)}>"
    return Markup(opening if name in _VOID else f"{opening}{join(content)}</{name}>")


def join(content: Iterable[Any], between: str = "") -> Markup:
    """Pieces one after the other: markup as it is, lists flattened, None left out."""
    pieces = []
    for piece in content:
        if piece is None:
            continue
        if isinstance(piece, Markup):
            pieces.append(str(piece))
        elif isinstance(piece, list | tuple):
            pieces.append(str(join(piece)))
        else:
            pieces.append(escape(piece))
    return Markup(between.join(pieces))


def escape(value: Any) -> str:
    """Text that is safe in HTML, inside quotes too; control characters are dropped."""
    return html.escape(str(value).translate(_CONTROL), quote=True)


def table(heads: Iterable[Any], rows: Iterable[Iterable[Any]], sides: str = "", **attributes: Any) -> Markup:
    """A table in a box that scrolls when it is too wide; `sides`: "l" or "r" for each column."""
    head = tag("tr", [tag("th", cell, scope="col") for cell in heads])
    body = [tag("tr", [_cell(cell) for cell in row]) for row in rows]
    right = "".join(f" r{n}" for n, side in enumerate(sides, start=1) if side == "r")
    classes = f"{attributes.pop('class_', '')}{right}".strip() or None
    inner = tag("table", tag("thead", head), tag("tbody", body), class_=classes, **attributes)
    return tag("div", inner, class_="scroll")


def _cell(content: Any) -> Markup:
    ready = isinstance(content, Markup) and content.startswith(("<td", "<th"))
    return content if ready else tag("td", content)


COLORS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#7a5195", "#1f2a44")
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
