"""Folders of DICOM files: which series they hold, what each is, and its voxels on one grid."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from . import multiframe
from .frames import Frame, fit_grid, orientations
from .geometry import Geometry
from .headers import impossible

_NO_IMAGE = {
    "SEG": "a segmentation",
    "RTSTRUCT": "contours of a radiotherapy",
    "RTPLAN": "a plan of a radiotherapy",
    "RTDOSE": "a dose of a radiotherapy",
    "RTRECORD": "a record of a radiotherapy",
    "SR": "a report",
    "DOC": "a document",
    "PR": "a presentation",
    "KO": "a list of images",
    "REG": "a registration",
    "FID": "a list of points",
    "RWV": "a list of real values",
}
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_MARKS = {
    "0020|0100": "TemporalPositionIdentifier (0020,0100)",
    "0020|0012": "AcquisitionNumber (0020,0012)",
    "0018|0081": "EchoTime (0018,0081)",
    "0018|1060": "TriggerTime (0018,1060)",
    "0018|9087": "DiffusionBValue (0018,9087)",
    "0008|0008": "ImageType (0008,0008)",
    "0008|0032": "AcquisitionTime (0008,0032)",
}
_MODALITY, _SERIES = (
    re.compile(tag + rb"(?:[A-Z]{2}..|....)(" + kind + rb")", re.DOTALL)
    for tag, kind in ((rb"\x08\x00\x60\x00", rb"[A-Z]{2,16}"), (rb"\x20\x00\x0e\x00", rb"[0-9.]{3,64}"))
)
"""Tag, kind and length, or length alone, and value, for files that GDCM sees no image in."""
_LOCALIZER_SHARE = 0.8


@dataclass
class Series:
    """The files of one series in one folder.

    modality: such as "MR", "" where it is not told. description: what the scanner calls it, to choose by; it is shown,
    and written nowhere. reason: why it is no image of a case, "" where it is one. left_out: localizers among its files.
    damaged: files of it that cannot be read.
    """

    folder: Path
    modality: str = ""
    description: str = ""
    reason: str = ""
    frames: list[Frame] = field(default_factory=list)
    left_out: list[Path] = field(default_factory=list)
    damaged: list[Path] = field(default_factory=list)
    has_many_frames: bool = False

    @property
    def count(self) -> int:
        """How many slices it has."""
        return len(self.frames)

    @property
    def files(self) -> list[Path]:
        """Its files, by name."""
        return sorted({frame.file for frame in self.frames})

    @property
    def notes(self) -> list[str]:
        """A sentence for what is left out, by files and never by what the scanner wrote of the patient."""
        what = f"{self.folder}: {self.count} {self.modality or 'DICOM'} image{'s' * (self.count != 1)}"
        told = [f"{what} ({self.files[0].name}) left out: {self.reason}"] if self.reason else []
        return told + [f"{path} is left out: a localizer" for path in self.left_out]

    def geometry(self) -> Geometry:
        """The grid, from the headers. ValueError, saying why, when the slices make none that is straight and even."""
        return self.fitted()[0]

    def read(self) -> sitk.Image:
        """The volume on that grid, each slice by its own slope and intercept. ValueError as `geometry`; RuntimeError
        when a file cannot be read."""
        geometry, frames = self.fitted()
        if reason := impossible(geometry.size_xyz):
            raise ValueError(reason)
        if self.has_many_frames:
            return geometry.apply(sitk.GetImageFromArray(multiframe.read_frames(frames)))
        if len(frames) == 1:
            return sitk.ReadImage(str(frames[0].file))
        planes = [sitk.GetArrayFromImage(sitk.ReadImage(str(frame.file))) for frame in frames]
        kind = np.result_type(*{plane.dtype for plane in planes})
        volume = np.empty(geometry.shape_zyx, np.float32 if kind.kind == "f" else kind)
        for place, plane in enumerate(planes):
            volume[place] = plane.reshape(volume.shape[1:])
        return geometry.apply(sitk.GetImageFromArray(volume))

    def fitted(self) -> tuple[Geometry, list[Frame]]:
        """The grid, and the frame of each plane of an array on it. ValueError as `geometry`."""
        if self.damaged:
            raise ValueError(f"{self.damaged[0].name} cannot be read; is the file whole?")
        if self.has_many_frames:
            files = self.files
            return fit_grid(
                [each for file in files for each in multiframe.frames_of(multiframe.read_dataset(file), file)]
            )
        if len(self.frames) == 1:
            return Geometry.of(_header(self.frames[0].file)), self.frames
        return fit_grid(self.frames)


def is_dicom_file(path: Path) -> bool:
    """True when `path` is an ordinary file with the DICOM mark at its start."""
    try:
        if not path.is_file():  # a pipe would be waited for
            return False
        with open(path, "rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def describe_series(folder: Path) -> list[Series]:
    """All series in `folder` (not below it), ordered by the name of their first file, with what is no image of a case
    (see `Series.reason`): reports, plans, doses, segmentations, localizers, secondary captures, pictures in colour."""
    for entry in os.scandir(folder):
        if not entry.is_file() and not entry.is_dir() and not entry.is_symlink():
            raise ValueError(f"{entry.path} is not an ordinary file")  # a pipe would be waited for
    found: dict[str, list[_File]] = {}
    damaged: list[_File] = []
    for path in sorted(folder.iterdir()):
        if path.name.upper() == "DICOMDIR" or not is_dicom_file(path):
            continue
        try:
            file = _File.read(path)
        except RuntimeError:
            modality = _modality_of(path)
            if modality and modality not in _NO_IMAGE:
                damaged.append(_File(path, modality, _told_in(path, _SERIES)))
                continue
            file = _File(path, modality, reason=_NO_IMAGE.get(modality, "no image"))
        found.setdefault(file.uid or file.reason, []).append(file)
    for file in damaged:
        found.setdefault(file.uid, []).append(file)
    return [_series(folder, files) for files in found.values()]


def find_series(folder: Path) -> list[list[Path]]:
    """The image series in `folder` (not below it): their files by name. What is no image of a case is left out."""
    return [series.files for series in describe_series(folder) if not series.reason]


def series_of(path: Path) -> Series:
    """One series: the only one in the folder `path`, or that of the file `path`.

    Raises ValueError with a readable reason when there is none or more than one.
    """
    is_file = path.is_file()
    found = describe_series(path.parent if is_file else path)
    if is_file:
        found = [series for series in found if path in (*series.files, *series.left_out)]
        if not found:
            raise ValueError("it cannot be read as a DICOM image; is the file whole?")
    usable = [series for series in found if not series.reason]
    if not usable:
        told = "; ".join(sorted({f"{series.modality or 'what is there'} is {series.reason}" for series in found}))
        raise ValueError(f"it holds no DICOM image series{f': {told}' if told else ''}")
    if len(usable) > 1:
        raise ValueError(f"it holds {len(usable)} DICOM series: name one file of the right one")
    return usable[0]


def segmentation_in(path: Path) -> Path | None:
    """The file of the segmentation (SEG) that `path` is, or the only one in that folder; None when there is no image
    but no segmentation either. ValueError when it holds several."""
    if path.is_file():
        return path if _modality_of(path) == "SEG" else None
    found = [each for each in sorted(path.iterdir()) if is_dicom_file(each) and _modality_of(each) == "SEG"]
    if len(found) > 1:
        raise ValueError(f"it holds {len(found)} segmentations: name the right one")
    return found[0] if found else None


@dataclass
class _File:
    path: Path
    modality: str = ""
    uid: str = ""
    description: str = ""
    reason: str = ""
    is_localizer: bool = False
    is_colored: bool = False
    count: int = 1
    frame: Frame | None = None

    @staticmethod
    def read(path: Path) -> _File:
        """What the header says of the image. RuntimeError when there is none."""
        header = _header(path)
        keys = set(header.GetMetaDataKeys())

        def tag(key: str) -> str:
            return header.GetMetaData(key).strip("\0 ") if key in keys else ""

        size, spacing, origin = header.GetSize(), header.GetSpacing(), header.GetOrigin()
        direction = np.array(header.GetDirection()).reshape(len(size), len(size))
        axes = tuple(np.pad(direction[:, :2].T, ((0, 0), (0, 3 - len(size)))).ravel().tolist())
        position = (origin[0], origin[1], origin[2]) if "0020|0032" in keys and len(size) == 3 else None
        marks = {name: tag(key) for key, name in _MARKS.items() if key in keys}
        scaled = "0028|1053" in keys
        frame = Frame(
            path, 0, position, axes, (spacing[0], spacing[1]), (size[0], size[1]), is_scaled=scaled, marks=marks
        )
        modality, kind = tag("0008|0060"), tag("0008|0016")
        reason = _NO_IMAGE.get(modality, "")
        if "MOSAIC" in tag("0008|0008").upper().split("\\"):
            reason = reason or "a mosaic, of many slices in one picture: convert it to NIfTI"
        if kind == _SECONDARY_CAPTURE or kind.startswith(_SECONDARY_CAPTURE + "."):
            reason = reason or "a secondary capture"
        frames = tag("0028|0008")
        return _File(
            path,
            modality,
            tag("0020|000e"),
            tag("0008|103e"),
            reason,
            bool({"LOCALIZER", "SCOUT"} & set(tag("0008|0008").upper().split("\\"))),
            header.GetNumberOfComponents() > 1,
            int(frames) if frames.isdigit() else 1,
            frame,
        )


def _series(folder: Path, files: list[_File]) -> Series:
    first = files[0]
    series = Series(folder, first.modality, first.description, first.reason)
    series.damaged = [file.path for file in files if file.frame is None and not file.reason]
    localizers = [file for file in files if file.is_localizer]
    if len(localizers) == len(files):
        series.reason = series.reason or "a localizer"
    else:
        series.left_out = [file.path for file in localizers]
        files = [file for file in files if not file.is_localizer]
    series.has_many_frames = any(file.count > 1 for file in files)
    series.frames = [frame for file in files for frame in _frames(file)]
    if not series.reason and len(series.frames) > 1:
        if any(file.is_colored for file in files):
            series.reason = "pictures in colour"
        elif not series.has_many_frames:
            groups = orientations(series.frames)
            if len(groups[0]) <= _LOCALIZER_SHARE * len(series.frames):
                series.reason = f"a localizer: its slices lie in {len(groups)} orientations"
    return series


def _frames(file: _File) -> list[Frame]:
    first = file.frame or Frame(file.path, 0, None, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), (1.0, 1.0), (1, 1))
    return [first] * file.count


def _modality_of(path: Path) -> str:
    return _told_in(path, _MODALITY)


def _told_in(path: Path, what: re.Pattern[bytes]) -> str:
    with open(path, "rb") as stream:
        match = what.search(stream.read(1 << 16))
    return match[1].decode("ascii") if match else ""


def _header(path: Path) -> sitk.ImageFileReader:
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    return reader
