"""Maps of numbers from 0 to 1, such as uncertainty, in one byte a voxel; those in floating numbers are read, too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from metassl.files.atomic import atomic_write
from metassl.files.errors import ImageError

from .geometry import Geometry
from .images import read_volume
from .reader import reader_of
from .writer import write_image

KEY, ROOTS = "MetaSSL values", "square roots in 1/255"
"""An entry in the file's header: what its bytes mean."""


def write_unit_map(path: Path, array: np.ndarray, geometry: Geometry) -> None:
    """Write floating numbers of 0..1, (z, y, x), as NRRD of their square roots in 1/255: small ones keep two digits.

    The error is at most 0.004, and of numbers below 0.01 at most 0.0004. Raises ProjectError when it cannot be written.
    """
    coded = np.empty(array.shape, np.uint8)
    for place, values in enumerate(array):  # one after the other: little memory
        coded[place] = np.rint(np.sqrt(np.clip(values, 0, 1)) * 255)
    image = geometry.apply(sitk.GetImageFromArray(coded))
    image.SetMetaData(KEY, ROOTS)
    atomic_write(path, lambda temporary: write_image(temporary, image))


def read_unit_map(path: Path, case: str) -> tuple[np.ndarray, Geometry]:
    """float32 (z, y, x), and its grid. ImageError when it cannot be read, or holds anything but numbers of 0..1."""
    volumes, geometry = read_volume(path, case)
    array = volumes[0]
    if array.dtype == np.uint8 and _are_roots(path):
        numbers: np.ndarray = ((np.arange(256) / 255) ** 2).astype(np.float32)
        return numbers[array], geometry
    array = array.astype(np.float32, copy=False)
    if not (array.min() >= 0 and array.max() <= 1):  # NaN fails too
        raise ImageError(f"case {case}: {path} holds values outside 0..1")
    return array, geometry


def _are_roots(path: Path) -> bool:
    reader = reader_of(path)
    return bool(reader.HasMetaDataKey(KEY) and reader.GetMetaData(KEY) == ROOTS)
