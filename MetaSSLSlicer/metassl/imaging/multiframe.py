"""DICOM files of many frames (enhanced CT, MR and PET, segmentations), by the package pydicom: an extra of ours, and
part of Slicer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .frames import Frame

_MARKS = {
    "FrameContentSequence": ("TemporalPositionIndex", "FrameAcquisitionNumber", "StackID"),
    "MREchoSequence": ("EffectiveEchoTime",),
    "MRDiffusionSequence": ("DiffusionBValue",),
    "CardiacSynchronizationSequence": ("NominalPercentageOfCardiacPhase", "NominalCardiacTriggerDelayTime"),
    "RespiratorySynchronizationSequence": ("NominalPercentageOfRespiratoryPhase",),
    "MRImageFrameTypeSequence": ("FrameType", "ComplexImageComponent"),
    "CTImageFrameTypeSequence": ("FrameType",),
}


def read_dataset(path: Path, pixels: bool = False) -> Any:
    """The data set of a DICOM file. ValueError when it is damaged, or when pydicom is missing."""
    try:
        import pydicom
    except ImportError:
        raise ValueError(
            "it has many frames in one file, and reading these needs the package pydicom: pip install 'metassl[dicom]'"
        ) from None
    try:
        return pydicom.dcmread(path, stop_before_pixels=not pixels)
    except (pydicom.errors.InvalidDicomError, AttributeError, ValueError, KeyError, EOFError) as error:
        raise ValueError(f"{path.name} is damaged; is the file whole?") from error


def frames_of(data: Any, path: Path) -> list[Frame]:
    """All frames of an enhanced image or a segmentation. ValueError when its header lacks what it must have."""
    try:
        size = int(data.Columns), int(data.Rows)
        return [_frame(data, number, path, size) for number in range(int(data.NumberOfFrames))]
    except (AttributeError, TypeError, ValueError, IndexError) as error:
        raise ValueError(f"the header of {path.name} is damaged: {error}") from error


def group(data: Any, number: int, name: str) -> Any:
    """The item of a functional group for one frame: its own, or that of all frames; None when there is none."""
    own = data.get("PerFrameFunctionalGroupsSequence")
    for holder in (own[number] if own else None, *(data.get("SharedFunctionalGroupsSequence") or [])[:1]):
        found = holder.get(name) if holder is not None else None
        if found:
            return found[0]
    return None


def pixels_of(data: Any, path: Path) -> np.ndarray:
    """The stored values (frames, y, x). ValueError when they are damaged, or packed in a way that is not known here."""
    try:
        array = data.pixel_array
    except Exception as error:  # the decoders of pydicom raise what they like
        raise ValueError(
            f"the frames of {path.name} cannot be unpacked ({type(error).__name__}): is the file whole? If it is "
            "compressed, decompress it first, such as by gdcmconv --raw"
        ) from error
    return np.asarray(array[None] if array.ndim == 2 else array)


def read_frames(frames: Sequence[Frame]) -> np.ndarray:
    """The real values (z, y, x) of frames in their order, each with its own slope and intercept."""
    stored = {}
    for file in {frame.file for frame in frames}:
        stored[file] = pixels_of(read_dataset(file, pixels=True), file)
    whole = all(frame.slope == 1 and float(frame.intercept).is_integer() for frame in frames)
    planes = [stored[frame.file][frame.index] for frame in frames]
    if any(plane.ndim != 2 for plane in planes):
        raise ValueError("its frames are in colour")
    if whole:
        return np.stack([plane.astype(np.int32) + int(frame.intercept) for plane, frame in zip(planes, frames)])
    scaled = [plane * np.float64(frame.slope) + frame.intercept for plane, frame in zip(planes, frames)]
    return np.stack([plane.astype(np.float32) for plane in scaled])


def _frame(data: Any, number: int, path: Path, size: tuple[int, int]) -> Frame:
    place = group(data, number, "PlanePositionSequence")
    turn = group(data, number, "PlaneOrientationSequence")
    measures = group(data, number, "PixelMeasuresSequence")
    values = group(data, number, "PixelValueTransformationSequence")
    marks: dict[str, str] = {}
    for sequence, names in _MARKS.items():
        item = group(data, number, sequence)
        marks |= {name: str(item.get(name)) for name in names if item is not None and item.get(name) is not None}
    corner = [] if place is None else [float(n) for n in place.ImagePositionPatient]
    position = (corner[0], corner[1], corner[2]) if corner else None
    down, across = (float(n) for n in measures.PixelSpacing) if measures is not None else (1.0, 1.0)
    axes = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0) if turn is None else tuple(float(n) for n in turn.ImageOrientationPatient)
    slope, intercept = (1.0, 0.0) if values is None else (float(values.RescaleSlope), float(values.RescaleIntercept))
    return Frame(path, number, position, axes, (across, down), size, slope, intercept, values is not None, marks)
