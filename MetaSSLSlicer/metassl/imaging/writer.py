"""Writing images and annotations: the whole file, or the error that kept it from being whole."""

from __future__ import annotations

import errno
import os
import shutil
import zlib
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from metassl.files.atomic import atomic_write

from . import nifti
from .geometry import Geometry
from .nifti import inflated
from .reader import quiet, reader_of


def write_array(path: Path, array: np.ndarray, geometry: Geometry) -> None:
    """Write an array (z, y, x) of numbers on `geometry`, atomically and compressed.

    Raises ProjectError when it cannot be written, ValueError for another type or shape.
    """
    if array.dtype.kind not in "iuf" or array.dtype == np.float16:
        raise ValueError(f"arrays are written as whole or floating numbers, not {array.dtype}")
    if array.shape != geometry.shape_zyx:
        raise ValueError(f"array of shape {array.shape} on a grid of {geometry.shape_zyx}")
    image = geometry.apply(sitk.GetImageFromArray(array))
    atomic_write(path, lambda temporary: write_image(temporary, image))


def write_image(path: Path, image: sitk.Image, level: int = -1) -> None:
    """Write `image` compressed, as much as `level` says. Unlike SimpleITK's own writer: always OSError if it fails."""
    open(path, "wb").close()  # so that a missing folder or permission is met with its own errno
    try:
        with quiet():
            sitk.WriteImage(image, str(path), useCompression=True, compressionLevel=level)
            whole = _is_whole(path)
    except RuntimeError as error:
        raise _write_error(path, image, "the writer failed") from error
    if not whole:
        raise _write_error(path, image, "the file was not written to its end")


def _is_whole(path: Path) -> bool:
    """Read it again: where the disk was full at the last bytes, ITK's writers of NIfTI and NRRD do not notice."""
    try:
        if nifti.is_nifti(path):
            return not nifti.problem(path)
        if path.suffix == ".nrrd":
            return _is_whole_nrrd(path)
        reader_of(path).Execute()
    except (OSError, RuntimeError, ValueError):
        return False
    return True


def _is_whole_nrrd(path: Path) -> bool:
    with open(path, "rb") as stream:
        while (line := stream.readline()) != b"\n":  # it ends the header
            if not line:
                return False
        try:
            for _ in inflated(stream):
                pass
        except (EOFError, zlib.error):
            return False
    return True


def _write_error(path: Path, image: sitk.Image, reason: str) -> OSError:
    size = image.GetSizeOfPixelComponent() * image.GetNumberOfPixels()
    if shutil.disk_usage(path.parent).free < max(size, 1 << 16):
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return OSError(errno.EIO, reason)
