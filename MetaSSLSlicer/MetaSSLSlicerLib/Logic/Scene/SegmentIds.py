"""How a value in an annotation and a segment in Slicer name each other."""

from __future__ import annotations

from metassl.imaging import IGNORE

NOT_ANNOTATED_COLOR = "#8C8C8C"
_NOT_ANNOTATED = "NotAnnotated"
_PREFIX = "Label_"


def segmentId(value: int) -> str:
    """The id of the segment that holds the voxels of `value`."""
    return _NOT_ANNOTATED if value == IGNORE else f"{_PREFIX}{value}"


def valueOf(identifier: str) -> int | None:
    """The value of the voxels in the segment of this id; None when it is none of ours."""
    if identifier == _NOT_ANNOTATED:
        return IGNORE
    number = identifier.removeprefix(_PREFIX)
    if number == identifier or not number.isdecimal() or not 1 <= int(number) < IGNORE:
        return None
    return int(number)
