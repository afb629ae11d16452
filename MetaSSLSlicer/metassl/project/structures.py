"""The structures of a project: which value in an annotation means what."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from metassl.files.errors import LabelError
from metassl.imaging.segments import IGNORE, Look

from .regions import REGIONS, rgb_of

REGION_COLORS = tuple(region.color for region in REGIONS)
"""The colours of the four regions UC, US, DC and DS: no structure is given one of them."""

DEFAULT_COLORS = (
    "#00EECC",
    "#BB2266",
    "#FFBB88",
    "#007777",
    "#9977FF",
    "#888855",
    "#88CCFF",
    "#EE8899",
    "#554433",
    "#4400DD",
    "#991100",
    "#997799",
)
"""Those of the first structures: far from US, DC and DS and from each other, also for colour-blind readers."""

NOT_ANNOTATED_COLOR = "#8C8C8C"

_COLOR = re.compile(r"#[0-9A-F]{6}")


@dataclass(frozen=True)
class LabelDefinition:
    """One structure: its voxel value (1..254, fixed for life), name, colour and terminology."""

    value: int
    name: str
    color: str = ""
    terminology: str = ""

    def __post_init__(self) -> None:
        whole = isinstance(self.value, int) and not isinstance(self.value, bool)
        if not whole or not 1 <= self.value <= 254:
            raise LabelError(
                f"label {self.name!r} has the value {self.value!r}: values are whole numbers from "
                "1 to 254 (0 is background, 255 means not annotated)"
            )
        if not isinstance(self.name, str) or not self.name.strip() or not self.name.isprintable():
            raise LabelError(f"label {self.value} needs a name of printable characters")
        object.__setattr__(self, "name", self.name.strip())
        color = self.color or default_color(self.value)
        if not isinstance(color, str) or not _COLOR.fullmatch(color.upper()):
            raise LabelError(f"label {self.name!r} has the colour {color!r}: write it as #RRGGBB")
        object.__setattr__(self, "color", color.upper())
        if not isinstance(self.terminology, str):
            raise LabelError(f"label {self.name!r} has a terminology that is not text")


def segments_of(labels: Iterable[LabelDefinition], not_annotated: str = "") -> list[Look]:
    """The segments of these structures and, where it has a name, that of the voxels that nobody annotated."""
    found = [(label.value, label.name, rgb_of(label.color), label.terminology) for label in labels]
    return found + ([(IGNORE, not_annotated, rgb_of(NOT_ANNOTATED_COLOR), "")] if not_annotated else [])


def default_color(value: int) -> str:
    """A colour for the label `value`, unlike its neighbours' and unlike the region colours."""
    if 1 <= value <= len(DEFAULT_COLORS):
        return DEFAULT_COLORS[value - 1]
    hue = (value * 0.618034) % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.35 + 0.2 * (value % 3), 0.95 - 0.2 * (value % 2))
    return f"#{round(red * 255):02X}{round(green * 255):02X}{round(blue * 255):02X}"


def parse_labels(texts: Sequence[str]) -> list[LabelDefinition]:
    """Read definitions such as "1=Anterior" or "2=Posterior=#56B4E9" (as on a command line)."""
    labels = []
    for text in texts:
        value, equals, name = text.partition("=")
        if re.search(r",\s*[0-9]{1,3}\s*=", text):
            equals = ""  # several in one word
        name, _, color = name.partition("=")
        if not equals or not re.fullmatch(r"\s*[0-9]{1,3}\s*", value):
            raise LabelError(f"cannot read the label {text!r}: write VALUE=NAME, such as {_meant(text)}")
        labels.append(LabelDefinition(int(value), name, color.strip()))
    return check_labels(labels)


def _meant(text: str) -> str:
    """The nearest to `text` that can be read: of "1:Liver", "Liver=1", "1=Liver,2=Tumour", "1 Liver"."""
    if "," in text and all("=" in part for part in text.split(",")):
        return " ".join(part.strip() for part in text.split(","))
    if match := re.fullmatch(r"\s*([0-9]{1,3})\s*[:;= -]\s*(.+)", text):
        return f"{match[1]}={match[2].strip()}"
    if match := re.fullmatch(r"(.*?\S)\s*[:;= -]\s*([0-9]{1,3})\s*", text):
        return f"{match[2]}={match[1]}"
    return f"1={text.strip(' =')}" if re.fullmatch(r"[\w ]+", text.strip()) else "1=Liver"


def check_labels(labels: Iterable[LabelDefinition]) -> list[LabelDefinition]:
    """The definitions in order of value. LabelError when none, or two share a value or a name."""
    ordered = sorted(labels, key=lambda label: label.value)
    if not ordered:
        raise LabelError("a project needs at least one label, such as 1=Liver")
    for what in ("value", "name"):
        seen = set()
        for label in ordered:
            key = getattr(label, what)
            if key in seen:
                raise LabelError(f"two labels have the same {what}: {key}")
            seen.add(key)
    return ordered
