"""DICOM files as scanners and other programs write them, made with pydicom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom", reason="DICOM files are made with pydicom (the extra dicom)")

CT, MR, PET = (f"1.2.840.10008.5.1.4.1.1.{kind}" for kind in ("2", "4", "128"))
ENHANCED_CT, ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.4.1"
SECONDARY_CAPTURE, SEG = "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.66.4"
DOSE, REPORT = "1.2.840.10008.5.1.4.1.1.481.2", "1.2.840.10008.5.1.4.1.1.88.11"
AXIAL = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]


def dataset(kind: str, modality: str, series: str, **tags: Any) -> Any:
    """A data set without voxels."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = kind, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID, made.SOPInstanceUID = kind, meta.MediaStorageSOPInstanceUID
    made.Modality, made.SeriesInstanceUID, made.StudyInstanceUID = modality, f"2.25.{series}", "2.25.1"
    made.PatientName, made.PatientID = "Wimbledon^Ottoline", "PID9081726"
    for name, value in tags.items():
        setattr(made, name, list(value) if isinstance(value, tuple) else value)
    return made


def put_voxels(made: Any, stored: np.ndarray) -> Any:
    """The stored values, (y, x) or (frames, y, x), of 8 or 16 bits, or bool as single bits."""
    made.Rows, made.Columns = stored.shape[-2:]
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    bits = 1 if stored.dtype == bool else 8 * stored.dtype.itemsize
    made.BitsAllocated = made.BitsStored = bits
    made.HighBit, made.PixelRepresentation = bits - 1, int(stored.dtype.kind == "i")
    if stored.ndim == 3:
        made.NumberOfFrames = len(stored)
    packed = np.packbits(stored.ravel(), bitorder="little") if bits == 1 else stored
    content = packed.tobytes()
    made.PixelData = content + b"\0" * (len(content) % 2)
    return made


def save(made: Any, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save_as(path, enforce_file_format=True)
    return path


def write_slices(
    folder: Path,
    volume: np.ndarray,
    positions: Sequence[Sequence[float]] | None = None,
    each: Sequence[dict[str, Any]] = (),
    kind: str = CT,
    modality: str = "CT",
    series: str = "7",
    name: str = "IM",
    **tags: Any,
) -> Path:
    """A file for each plane of `volume` (stored values of 16 bits), 5 mm apart unless `positions` are given.

    each: tags of single slices, by their number. Names are not in slice order.
    """
    for number, plane in enumerate(volume):
        own = {
            "InstanceNumber": number + 1,
            "ImagePositionPatient": [0, 0, 5 * number]
            if positions is None
            else [f"{n:.5f}" for n in positions[number]],
            "ImageOrientationPatient": AXIAL,
            "PixelSpacing": [1.5, 1.5],
            "SliceThickness": 5,
            "RescaleSlope": 1,
            "RescaleIntercept": 0,
            **tags,
            **(each[number] if each else {}),
        }
        made = put_voxels(dataset(kind, modality, series, **own), plane)
        save(made, folder / f"{name}{(number * 7) % 61:03d}_{number}.dcm")
    return folder


def item(**tags: Any) -> Any:
    """An item of a sequence; a value that is an item stands for a sequence of that alone."""
    made = pydicom.Dataset()
    for name, value in tags.items():
        setattr(made, name, pydicom.Sequence([value]) if isinstance(value, pydicom.Dataset) else value)
    return made


def write_enhanced(
    path: Path,
    volume: np.ndarray,
    positions: Sequence[Sequence[float]],
    slopes: Sequence[float] | None = None,
    contents: Sequence[dict[str, Any]] = (),
    kind: str = ENHANCED_MR,
    modality: str = "MR",
    series: str = "8",
    axes: Sequence[Sequence[float]] = (),
    tags: Mapping[str, Any] | None = None,
) -> Path:
    """A multi-frame file, frames in the order of `volume`. contents: tags of each frame's FrameContentSequence. tags:
    of the file itself."""
    own = {"ImageType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], **(tags or {})}
    made = put_voxels(dataset(kind, modality, series, **own), volume)
    shared = item(PixelMeasuresSequence=item(PixelSpacing=[1.5, 1.5], SliceThickness=5))
    if not axes:
        shared.PlaneOrientationSequence = pydicom.Sequence([item(ImageOrientationPatient=AXIAL)])
    made.SharedFunctionalGroupsSequence = pydicom.Sequence([shared])
    frames = []
    for number, position in enumerate(positions):
        frame = item(
            PlanePositionSequence=item(ImagePositionPatient=[f"{n:.5f}" for n in position]),
            PixelValueTransformationSequence=item(
                RescaleSlope=f"{1.0 if slopes is None else slopes[number]:.8g}", RescaleIntercept=0, RescaleType="US"
            ),
        )
        if contents:
            frame.FrameContentSequence = pydicom.Sequence([item(**contents[number])])
        if axes:
            frame.PlaneOrientationSequence = pydicom.Sequence([item(ImageOrientationPatient=list(axes[number]))])
        frames.append(frame)
    made.PerFrameFunctionalGroupsSequence = pydicom.Sequence(frames)
    return save(made, path)


def write_seg(
    path: Path,
    segments: Sequence[tuple[str, np.ndarray]],
    corner: Sequence[float] = (0.0, 0.0, 0.0),
    spacing: Sequence[float] = (1.5, 1.5, 5.0),
    codes: Sequence[tuple[str, str, str]] = (),
    kind: str = "BINARY",
) -> Path:
    """A DICOM segmentation of masks (bool, z y x); empty slices are left out, as most programs do.

    kind: "BINARY", "FRACTIONAL" (masks of uint8), or "LABELMAP". spacing: x, y, z.
    """
    made = dataset(SEG, "SEG", "9", SegmentationType=kind, MaximumFractionalValue=200)
    described = []
    for number, (name, _mask) in enumerate(segments, start=1):
        scheme, code, meaning = codes[number - 1] if codes else ("SCT", "85756007", "Tissue")
        described.append(
            item(
                SegmentNumber=number,
                SegmentLabel=name,
                SegmentAlgorithmType="MANUAL",
                SegmentedPropertyTypeCodeSequence=item(
                    CodeValue=code, CodingSchemeDesignator=scheme, CodeMeaning=meaning
                ),
            )
        )
    made.SegmentSequence = pydicom.Sequence(described)
    planes, frames = [], []
    if kind == "LABELMAP":
        whole = sum(np.uint8(number) * mask for number, (_name, mask) in enumerate(segments, start=1))
        layers = [(None, whole.astype(np.uint8))]
    else:
        layers = [(number, mask) for number, (_name, mask) in enumerate(segments, start=1)]
    for number, mask in layers:
        for z in np.flatnonzero(mask.any(axis=(1, 2))):
            planes.append(mask[z])
            place = [f"{n:.5f}" for n in (corner[0], corner[1], corner[2] + spacing[2] * z)]
            frame = item(PlanePositionSequence=item(ImagePositionPatient=place))
            if number is not None:
                frame.SegmentIdentificationSequence = pydicom.Sequence([item(ReferencedSegmentNumber=number)])
            frames.append(frame)
    put_voxels(made, np.stack(planes))
    made.PerFrameFunctionalGroupsSequence = pydicom.Sequence(frames)
    made.SharedFunctionalGroupsSequence = pydicom.Sequence(
        [
            item(
                PlaneOrientationSequence=item(ImageOrientationPatient=AXIAL),
                PixelMeasuresSequence=item(
                    PixelSpacing=[spacing[1], spacing[0]], SliceThickness=spacing[2], SpacingBetweenSlices=spacing[2]
                ),
            )
        ]
    )
    return save(made, path)
