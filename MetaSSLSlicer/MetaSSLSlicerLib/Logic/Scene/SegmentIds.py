"""How a value in an annotation and a segment in Slicer name each other."""

from __future__ import annotations

from collections.abc import Sequence

from metassl.imaging import IGNORE
from metassl.project import LabelDefinition
from metassl.project.regions import rgb_of

from ...Translation import _


def segmentId(value: int) -> str:
    """The id of the segment that holds the voxels of `value`."""
    return "NotAnnotated" if value == IGNORE else f"Label_{value}"


def segmentsOf(labels: Sequence[LabelDefinition], withNotAnnotated: bool) -> list[tuple]:
    """(value, name, (r, g, b), terminology) of the segments for these labels, and of the one for voxels of 255."""
    found = [(label.value, label.name, rgb_of(label.color), label.terminology) for label in labels]
    return found + ([(IGNORE, _("Not annotated"), rgb_of("#8C8C8C"), "")] if withNotAnnotated else [])
