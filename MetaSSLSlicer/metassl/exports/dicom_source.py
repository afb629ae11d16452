"""The DICOM series that a case's image came from, as a segmentation of it has to refer to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from metassl.files.errors import ImageError
from metassl.imaging.dicom import series_of
from metassl.imaging.geometry import Geometry
from metassl.imaging.images import is_dicom, reading
from metassl.imaging.multiframe import read_dataset

_NEEDED = {
    "StudyInstanceUID": "(0020,000D)",
    "SeriesInstanceUID": "(0020,000E)",
    "SOPInstanceUID": "(0008,0018)",
    "SOPClassUID": "(0008,0016)",
    "FrameOfReferenceUID": "(0020,0052)",
}
_PATIENT = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
)
"""Of patient and study: a segmentation must have them, empty if the image has none, and has them as the image does."""


@dataclass(frozen=True)
class DicomSource:
    """headers: data sets without voxels, in the order in which the series' frames are counted. places: of each plane of
    an array on the grid the number of its frame. thickness: of a slice, in mm. patient: elements of patient and study
    as the image has them; in `headers` they are empty, since highdicom looks into them and refuses what is odd there.
    """

    geometry: Geometry
    headers: list[Any]
    places: list[int]
    thickness: float
    patient: list[Any]

    @staticmethod
    def of(case: str, images: Sequence[Path]) -> DicomSource:
        """The series of the first channel that came from DICOM.

        Raises ImageError, naming case and file, when there is none, or when it lacks what a segmentation refers to;
        nothing of the patient is in its message.
        """
        path = next((each for each in images if is_dicom(each)), None)
        if path is None:
            raise ImageError(f"case {case}: {images[0]} is no DICOM, and a DICOM segmentation refers to DICOM images")
        with reading(path, case, ImageError):
            series = series_of(path)
            geometry, frames = series.fitted()
            files = list(dict.fromkeys(frame.file for frame in frames))
            headers = [read_dataset(file) for file in files]
            if series.has_many_frames and len(files) > 1:
                raise ValueError(
                    f"its series has {len(files)} files of many frames, and one segmentation can refer to the frames "
                    "of a single file"
                )
            for name, tag in _NEEDED.items():
                lacking = next((file for file, header in zip(files, headers) if not header.get(name)), None)
                if lacking is not None:
                    raise ValueError(
                        f"{lacking.name} lacks the {name} {tag}, without which nothing can refer to it; was it "
                        "anonymised? Take it from the archive again"
                    )
            places = [frame.index for frame in frames] if series.has_many_frames else list(range(len(frames)))
            first = headers[0]
            patient = [first[name] for name in _PATIENT if name in first]
            for name in _PATIENT:
                if name in first:
                    del first[name]  # or its element, which is in `patient`, would be emptied
                setattr(first, name, "")
            return DicomSource(geometry, headers, places, _thickness(first) or geometry.spacing_xyz[2], patient)

    def planes(self, array: np.ndarray) -> np.ndarray:
        """An array (z, y, x) on the grid with its planes in the order of the series' frames."""
        ordered = np.empty_like(array)
        ordered[self.places] = array
        return ordered


def _thickness(header: Any) -> float:
    """As the scanner told it, in mm; 0 where it did not. Slices may be thicker or thinner than they lie apart."""
    shared = (header.get("SharedFunctionalGroupsSequence") or [None])[0]
    own = (header.get("PerFrameFunctionalGroupsSequence") or [None])[0]
    for holder in (header, *(((each or {}).get("PixelMeasuresSequence") or [None])[0] for each in (shared, own))):
        told = holder.get("SliceThickness") if holder is not None else None
        if told:
            return abs(float(told))
    return 0.0
