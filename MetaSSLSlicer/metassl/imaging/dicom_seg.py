"""DICOM segmentations (SEG) as annotations: bits, or numbers, with segments that have names and codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .frames import OFF_GRID, Frame, fit_grid
from .geometry import Geometry
from .multiframe import frames_of, group, pixels_of, read_dataset
from .segments import Code, Contents, Segment, code_of, compose


def read_segmentation(path: Path) -> Contents:
    """The contents of a DICOM SEG file; slices that it leaves out are empty.

    Raises ValueError where segments overlap (naming them), where it holds probabilities, or where it is damaged or the
    package pydicom is missing.
    """
    data = read_dataset(path, pixels=True)
    frames = frames_of(data, path)
    try:
        segments = [
            Segment(number, str(item.SegmentLabel).strip(), _code(item), int(item.SegmentNumber))
            for number, item in enumerate(_described(data), start=1)
        ]
        kind = str(data.SegmentationType).upper()
        shown = [_segment_of(data, frame, kind) for frame in frames]
    except (AttributeError, TypeError, ValueError, IndexError) as error:
        raise ValueError(f"the header of {path.name} is damaged: {error}") from error
    stored = pixels_of(data, path)
    if kind == "FRACTIONAL":
        highest = int(data.get("MaximumFractionalValue", 255))
        if not np.isin(stored, (0, highest)).all():
            raise ValueError("it is a fractional segmentation, of probabilities: export it as a binary one")
    geometry, places = _grid(frames, _thickness(data))
    array = np.zeros(geometry.shape_zyx, np.uint16)
    by_number = {segment.written: segment for segment in segments}
    for plane, place, number in zip(stored, places, shown):
        if number is not None:
            compose(array[place], np.where(plane > 0, by_number[number].value, 0), segments)
            continue
        if missing := set(np.unique(plane).tolist()) - {0, *by_number}:
            raise ValueError(f"it holds the value {min(missing)}, and none of its segments has it")
        for segment in segments:
            array[place][plane == segment.written] = segment.value
    return Contents(array, geometry, segments, fills=0, slack=OFF_GRID)


def _described(data: Any) -> list[Any]:
    """The segments but the background, which label maps may describe."""
    return [item for item in data.SegmentSequence if int(item.SegmentNumber) != 0]


def _segment_of(data: Any, frame: Frame, kind: str) -> int | None:
    """The number of the segment that a frame shows; None where its values are the numbers."""
    if kind == "LABELMAP":
        return None
    number = int(group(data, frame.index, "SegmentIdentificationSequence").ReferencedSegmentNumber)
    if number not in {int(item.SegmentNumber) for item in _described(data)}:
        raise ValueError(f"a frame shows the segment {number}, which it does not describe")
    return number


def _thickness(data: Any) -> float:
    measures = group(data, 0, "PixelMeasuresSequence")
    for name in ("SpacingBetweenSlices", "SliceThickness"):
        if measures is not None and measures.get(name):
            return abs(float(measures.get(name)))
    return 1.0


def _grid(frames: list[Frame], thickness: float) -> tuple[Geometry, list[int]]:
    """The grid of all frames, with the empty slices between them that the file leaves out, and each frame's slice."""
    if any(frame.position is None for frame in frames):
        raise ValueError("its frames do not say where they lie")
    x, y = np.array(frames[0].axes).reshape(2, 3)
    along = np.array([frame.position for frame in frames]) @ np.cross(x, y)
    gaps = np.diff(np.unique(along))
    gaps = gaps[gaps > OFF_GRID * min(thickness, gaps.max(initial=thickness))]
    is_whole = np.all(np.abs(gaps / thickness - np.rint(gaps / thickness)) < OFF_GRID)
    step = thickness if is_whole else float(gaps.min())
    exact = (along - along.min()) / step
    places = np.rint(exact).astype(int)
    if np.abs(exact - places).max() > OFF_GRID:
        raise ValueError("its frames are unevenly spaced")
    first = {int(place): frame for place, frame in zip(places[::-1], frames[::-1])}
    bottom = first[0]
    filled = [first.get(place) or _beside(bottom, place * step * np.cross(x, y)) for place in range(places.max() + 1)]
    geometry = fit_grid(filled)[0]
    if len(filled) == 1:
        geometry = Geometry(geometry.size_xyz, (*bottom.spacing, step), geometry.origin_xyz, geometry.direction)
    return geometry, places.tolist()


def _beside(frame: Frame, shift: np.ndarray) -> Frame:
    x, y, z = (float(n) for n in np.array(frame.position) + shift)
    return Frame(frame.file, 0, (x, y, z), frame.axes, frame.spacing, frame.size, is_scaled=frame.is_scaled)


def _code(item: Any) -> Code:
    parts = []
    for name in ("SegmentedPropertyTypeCodeSequence", "AnatomicRegionSequence"):
        for holder in (item.get(name) or [])[:1]:
            modifiers = holder.get(_MODIFIERS[name]) or item.get(_MODIFIERS[name]) or []
            parts += [_part(each) for each in (holder, *modifiers[:1])]
    return code_of(parts)


_MODIFIERS = {
    "SegmentedPropertyTypeCodeSequence": "SegmentedPropertyTypeModifierCodeSequence",
    "AnatomicRegionSequence": "AnatomicRegionModifierSequence",
}


def _part(item: Any) -> tuple[str, str, str]:
    code = item.get("CodeValue") or item.get("LongCodeValue") or ""
    return str(item.get("CodingSchemeDesignator", "")), str(code), str(item.get("CodeMeaning", ""))
