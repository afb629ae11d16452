"""Folders of DICOM slices: which series they hold, and the grid of a series."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .geometry import Geometry, triple
from .headers import impossible

_SERIES_UID = "0020|000e"
_MODALITY = "0008|0060"
_NOT_IMAGES = {"SR", "SEG", "RTSTRUCT", "RTPLAN", "RTDOSE", "PR", "KO", "REG", "DOC"}
_UNEVEN = 0.05


def is_dicom_file(path: Path) -> bool:
    """True when `path` is an ordinary file with the DICOM mark at its start."""
    try:
        if not path.is_file():  # a pipe would be waited for
            return False
        with open(path, "rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def find_series(folder: Path) -> list[list[Path]]:
    """The image series in `folder` (not below it): their files, in slice order.

    Series are ordered by the name of their first file. Reports, plans and segmentations are
    left out.
    """
    for entry in os.scandir(folder):
        if not entry.is_file() and not entry.is_dir() and not entry.is_symlink():
            raise ValueError(f"{entry.path} is not an ordinary file")  # a pipe would be waited for
    found = []
    for uid in sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder)):
        files = _files_of(folder, uid)
        if files and _is_image(files[0]):
            found.append(files)
    return sorted(found, key=lambda files: min(file.name for file in files))


def series_of(path: Path) -> list[Path]:
    """The files of one series: the only one in the folder `path`, or that of the file `path`.

    Raises ValueError with a readable reason when there is none or more than one.
    """
    if path.is_file():
        uid = _header(path).GetMetaData(_SERIES_UID).strip("\0 ")
        return _files_of(path.parent, uid) or [path]
    series = find_series(path)
    if not series:
        raise ValueError("it holds no DICOM image series")
    if len(series) > 1:
        raise ValueError(f"it holds {len(series)} DICOM series: name one file of the right one")
    return series[0]


def series_geometry(files: Sequence[Path]) -> Geometry:
    """The grid of a series in slice order, from the headers alone.

    Raises ValueError when slices are missing, uneven, or not stacked at a right angle.
    """
    first = _header(files[0])
    if len(files) == 1 or first.GetDimension() != 3:
        return Geometry.of(first)
    direction = np.array(first.GetDirection()).reshape(3, 3)
    normal = direction[:, 2]
    corners = np.array([_header(file).GetOrigin() for file in files])
    steps = np.diff(corners, axis=0)
    along = steps @ normal
    if np.any(along <= 0):
        raise ValueError("two slices lie at the same place, or out of order")
    step = float(along.mean())
    if np.any(np.abs(along - step) > _UNEVEN * step):
        raise ValueError(f"slices are missing or unevenly spaced ({along.min():.3g} to {along.max():.3g} mm)")
    drift = np.linalg.norm(steps - np.outer(along, normal), axis=1)
    if np.any(drift > _UNEVEN * step):
        raise ValueError("its slices are sheared (a tilted gantry): resample it to a straight grid")
    size, spacing = first.GetSize(), first.GetSpacing()
    return Geometry(
        (size[0], size[1], len(files)),
        (spacing[0], spacing[1], step),
        triple(float(n) for n in corners[0]),
        tuple(float(n) for n in direction.ravel()),
    )


def read_series(files: Sequence[Path]) -> sitk.Image:
    """Read the slices of a series as one volume on the grid of `series_geometry`.

    Raises ValueError as `series_geometry` does, RuntimeError when a file cannot be read.
    """
    geometry = series_geometry(files)
    if reason := impossible(geometry.size_xyz):
        raise ValueError(reason)
    if len(files) == 1:
        return sitk.ReadImage(str(files[0]))
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(file) for file in files])
    return geometry.apply(reader.Execute())


def _files_of(folder: Path, uid: str) -> list[Path]:
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid)
    return [Path(name) for name in names]


def _header(path: Path) -> sitk.ImageFileReader:
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    return reader


def _is_image(path: Path) -> bool:
    try:
        reader = _header(path)
    except RuntimeError:
        return False
    if not reader.HasMetaDataKey(_MODALITY):
        return True
    return reader.GetMetaData(_MODALITY).strip("\0 ") not in _NOT_IMAGES
