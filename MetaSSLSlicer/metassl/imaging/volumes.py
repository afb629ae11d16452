"""The channels of one case as volumes of one 4-D file, as some Decathlon sets have them, or on grids of their own."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from metassl.files.atomic import atomic_write, make_folder
from metassl.files.errors import ImageError

from . import nifti
from .geometry import Geometry
from .images import with_nan
from .reader import quiet, reader_of
from .writer import write_image

_KEEP_DIRECTION = sitk.ExtractImageFilter.DIRECTIONCOLLAPSETOSUBMATRIX


def volume_count(path: Path) -> int:
    """The number of volumes in a 4-D image file; 1 for any other file or folder."""
    if not path.is_file():
        return 1
    try:
        with quiet():
            reader = reader_of(path)
    except (OSError, RuntimeError, ValueError):
        return 1
    return reader.GetSize()[3] if reader.GetDimension() == 4 else 1


def split_volumes(path: Path, folder: Path, case: str) -> list[Path]:
    """Write each volume of a 4-D file to `folder`/CASE_0000.nrrd, ... and return the paths.

    The file itself is left as it is. Raises ImageError when it cannot be read whole.
    """
    try:
        with quiet():
            reader = reader_of(path)
            reason, lost = nifti.examine(path, finite=True) if nifti.is_nifti(path) else ("", None)
            if reason:
                raise ImageError(f"case {case}: cannot use {path}: {reason}; copy it again or repair it")
            image = reader.Execute()
            image = image if lost is None else with_nan(image, lost)
    except (OSError, RuntimeError, ValueError, MemoryError) as error:
        raise ImageError(f"case {case}: cannot read {path}; is the file whole?") from error
    make_folder(folder)
    paths = []
    for number in range(image.GetSize()[3]):
        size, index = [*image.GetSize()[:3], 0], [0, 0, 0, number]
        volume = sitk.Extract(image, size, index, _KEEP_DIRECTION)
        target = folder / f"{case}_{number:04d}.nrrd"
        atomic_write(target, partial(write_image, image=volume))
        paths.append(target)
    return paths


def resampled(volume: np.ndarray, own: Geometry, grid: Geometry) -> sitk.Image:
    """A volume (z, y, x) on the grid `own`, in 32-bit numbers on another `grid`; its lowest value where it is not."""
    image = own.apply(sitk.GetImageFromArray(volume.astype(np.float32)))
    reference = grid.apply(sitk.Image(list(grid.size_xyz), sitk.sitkUInt8))
    return sitk.Resample(image, reference, sitk.Transform(), sitk.sitkLinear, float(volume.min()), sitk.sitkFloat32)
