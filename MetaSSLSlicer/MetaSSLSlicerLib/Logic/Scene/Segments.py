"""The segments of an annotation: their ids and looks, and what they held at one moment, for a thread to take over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from metassl.files import LabelError
from metassl.imaging import IGNORE
from metassl.imaging.segments import Look, segment_id
from metassl.project import LabelDefinition
from metassl.project.structures import segments_of

from ...Translation import _


def valueOf(identifier: str) -> int | None:
    """The value of the voxels in the segment of this id; None when it is none of ours."""
    if identifier == segment_id(IGNORE):
        return IGNORE
    number = identifier.removeprefix("Label_")
    if number == identifier or not number.isdecimal() or not 1 <= int(number) < IGNORE:
        return None
    return int(number)


def segmentsOf(labels: Sequence[LabelDefinition], withNotAnnotated: bool) -> list[Look]:
    """The segments for these labels, and the one for voxels of 255."""
    return segments_of(labels, _("Not annotated") if withNotAnnotated else "")


@dataclass(frozen=True, eq=False)
class Layer:
    """The voxels of one labelmap, and where they lie in the image: slices (z, y, x)."""

    array: np.ndarray
    place: tuple[slice, ...]


@dataclass(frozen=True, eq=False)
class Part:
    """A segment: its label in a layer, and its value in the project; None when it is not the project's."""

    layer: Layer
    label: int
    value: int | None
    name: str


class Snapshot:
    """What a segmentation held, apart from the scene. Of overlapping segments the later one is kept, as in Slicer."""

    def __init__(self, shape: tuple[int, int, int], parts: Sequence[Part]) -> None:
        self._shape = shape
        # what somebody annotated goes before "not annotated"
        self._parts = sorted(parts, key=lambda part: part.value != IGNORE)

    def unknownStructures(self) -> list[str]:
        """The names of the segments that hold voxels and are not the project's."""
        strange = [part for part in self._parts if part.value is None]
        return [part.name for part in strange if (part.layer.array == part.label).any()]

    def toArray(self) -> np.ndarray:
        """The values of the project: uint8 (z, y, x). LabelError when another segment holds voxels."""
        if names := self.unknownStructures():
            raise LabelError(
                _(
                    'the segment "{name}" is not one of the structures of this project: move what it holds into one '
                    "of them, or delete it"
                ).format(name=names[0])
            )
        return self._array(self._parts)

    def withUnknownStructures(self, labels: Sequence[LabelDefinition]) -> tuple[np.ndarray, list[LabelDefinition]]:
        """All that was drawn: uint8 (z, y, x), and the structures in it that are none of `labels`, the project's.

        These get values that are free; where they overlap with the project's, the latter are kept.
        """
        free = sorted(set(range(1, IGNORE)) - {label.value for label in labels})
        strange, own = [], [part for part in self._parts if part.value is not None]
        for part in self._parts:
            if part.value is None and free and (part.layer.array == part.label).any():
                strange.append(replace(part, value=free.pop()))
        found = [unknownStructure(part.value, part.name) for part in strange]
        return self._array([*strange, *own]), found

    def _array(self, parts: Sequence[Part]) -> np.ndarray:
        runs = _runs(parts)
        if len(runs) == 1 and runs[0][0].array.shape == self._shape:
            return _translated(*runs[0])
        array = np.zeros(self._shape, np.uint8)
        for layer, values in runs:
            target, found = array[layer.place], _translated(layer, values)
            np.copyto(target, found, where=found != 0)
        return array


def unknownStructure(value: int, name: str) -> LabelDefinition:
    """A structure that is none of the project's."""
    shown = name if name.strip() and name.isprintable() else _("Segment {number}").format(number=value)
    return LabelDefinition(value, shown)


def _runs(parts: Sequence[Part]) -> list[tuple[Layer, dict[int, int]]]:
    """Neighbouring segments of one layer together: they can be taken over in one go."""
    runs: list[tuple[Layer, dict[int, int]]] = []
    for part in parts:
        if part.value is None:
            continue
        if not runs or runs[-1][0] is not part.layer:
            runs.append((part.layer, {}))
        runs[-1][1][part.label] = part.value
    return runs


def _translated(layer: Layer, values: dict[int, int]) -> np.ndarray:
    """The voxels of a layer as values of the project; 0 where none of these labels is."""
    array = layer.array
    if array.dtype == np.uint8 and all(label == value for label, value in values.items()) and _only(array, values):
        return array
    translated = np.zeros(array.shape, np.uint8)
    table = np.zeros(256, np.uint8)
    for label, value in values.items():
        table[label & 255] = value
    for plane, to in zip(array, translated):  # a plane at a time stays in the processor's cache
        if array.dtype == np.uint8:
            np.take(table, plane, out=to, mode="clip")
        else:
            for label, value in values.items():
                to[plane == label] = value
    return translated


def _only(array: np.ndarray, labels: Iterable[int]) -> bool:
    """Whether no other label than these is in the array."""
    known = sum(np.count_nonzero(plane == label) for plane in array for label in labels)
    return known == np.count_nonzero(array)
