"""Reading images and annotations, with every check that training relies on.

Arrays are in the order (z, y, x), with channels first where there are several.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from metassl.files.atomic import is_unicode
from metassl.files.errors import ImageError, LabelError, MetaSSLError

from . import dicom, nifti
from .geometry import Geometry as Geometry
from .headers import impossible
from .reader import quiet, reader_of
from .segments import IGNORE as IGNORE

IMAGE_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
MOST_LOST = 0.5
"""Of an image's voxels, so many at most may be NaN or infinite: some programs write NaN outside of the body."""

_ITK_OBJECT = re.compile(r"\w+\(0x[0-9a-f]+\): ")


@dataclass
class CaseImage:
    """A case's image: float32 array (C, z, y, x) and the grid that all channels share.

    lost: the share of each channel's voxels that are NaN or infinite in the file, () for none: see `read_image`.
    """

    array: np.ndarray
    geometry: Geometry
    lost: tuple[float, ...] = ()


def read_image(paths: Sequence[Path], case: str) -> CaseImage:
    """Read the channels of a case: one file (or one folder with a DICOM series) each.

    The components of a vector image become channels; a 2-D image becomes one slice. Voxels that are NaN or
    infinite get the lowest, or highest, value of the others. Raises ImageError, naming case and file, for anything
    missing, damaged, mostly not finite, constant, not 3-D, or not on the first channel's grid.
    """
    if not paths:
        raise ImageError(f"case {case} has no image file")
    channels: list[np.ndarray] = []
    lost: list[float] = []
    grids: list[Geometry] = []
    for path in map(Path, paths):
        image, own = _read(path, case, ImageError)
        grids.append(own)
        if difference := grids[0].difference(own):
            raise ImageError(f"case {case}: {path} is not on the grid of {paths[0]}: {difference}; resample it first")
        for channel in _components(image, own):
            array, share = _checked(channel, path, case)
            channels.append(array)
            lost.append(share)
    array = channels[0][None] if len(channels) == 1 else np.stack(channels)
    return CaseImage(array, grids[0], tuple(lost) if any(lost) else ())


def read_volume(path: Path, case: str) -> tuple[list[np.ndarray], Geometry]:
    """The channels (z, y, x) in one image file or DICOM series, in the file's own type, and their grid.

    For showing: the values are not checked. Raises ImageError when it cannot be read or is not 3-D.
    """
    image, geometry = _read(Path(path), case, ImageError, finite=False)
    return [np.array(channel, order="C") for channel in _components(image, geometry)], geometry


def read_geometry(path: Path, case: str) -> Geometry:
    """The grid of an image file or DICOM series, from its header alone. Raises ImageError."""
    path = Path(path)
    with reading(path, case, ImageError):
        if is_dicom(path):
            return _usable(dicom.series_of(path).geometry())
        reader = _header_of(path)
        return _usable(Geometry.of(reader))


def count_channels(path: Path, case: str) -> int:
    """How many channels an image file or DICOM series holds, from its header. Raises ImageError."""
    path = Path(path)
    with reading(path, case, ImageError):
        return int(reader_of(dicom.series_of(path).files[0] if is_dicom(path) else path).GetNumberOfComponents())


def read_channels(path: Path, case: str) -> tuple[sitk.Image, Geometry, list[np.ndarray]]:
    """An annotation file as ITK has it, its grid, and views (z, y, x) of its layers, unchecked. Raises LabelError."""
    image, geometry = _read(Path(path), case, LabelError)
    return image, geometry, _components(image, geometry)


def read_labels(path: Path, case: str) -> tuple[np.ndarray, Geometry]:
    """Read a label map of the project's own, believing its numbers: uint8 array (z, y, x), 255 where not annotated, and
    its grid. What comes from elsewhere is read by `read_annotation`.

    Raises LabelError, naming case and file, when it is unreadable or holds anything but whole
    numbers from 0 to 255.
    """
    path = Path(path)
    image, geometry = _read(path, case, LabelError)
    if image.GetNumberOfComponentsPerPixel() != 1:
        raise LabelError(f"case {case}: {path} has several layers; export it as one labelmap without overlaps")
    array = sitk.GetArrayViewFromImage(image).reshape(geometry.shape_zyx)
    if array.dtype.kind not in "iuf":
        raise LabelError(f"case {case}: {path} does not hold numbers")
    if bad := np.count_nonzero(~np.isfinite(array)):
        raise LabelError(f"case {case}: {path} has voxels that are NaN or infinite ({bad}): is it a labelmap?")
    if array.dtype.kind == "f" and not np.array_equal(array, np.rint(array)):
        raise LabelError(f"case {case}: {path} holds values that are not whole: is it a labelmap?")
    low, high = array.min(), array.max()
    if low < 0 or high > IGNORE:
        raise LabelError(f"case {case}: {path} holds values from {low:g} to {high:g}; labels are 0 to 255")
    return array.astype(np.uint8), geometry


def _read(path: Path, case: str, kind: type[MetaSSLError], finite: bool = True) -> tuple[sitk.Image, Geometry]:
    with reading(path, case, kind):
        if is_dicom(path):
            image = dicom.series_of(path).read()
        else:
            reader = _header_of(path)
            _usable(Geometry.of(reader))
            image = _execute_nifti(reader, path, finite) if nifti.is_nifti(path) else reader.Execute()
        if image.GetDimension() not in (2, 3):
            raise ValueError(_many_axes(image.GetSize()))
        return image, _usable(Geometry.of(image))


def _header_of(path: Path) -> sitk.ImageFileReader:
    """A reader with the header read, once it is known to be of 2 or 3 axes."""
    reader = reader_of(path)
    if reader.GetDimension() not in (2, 3):
        raise ValueError(_many_axes(reader.GetSize()))
    return reader


def _execute_nifti(reader: sitk.ImageFileReader, path: Path, finite: bool) -> sitk.Image:
    """Read and examine at once: both decompress the whole file."""
    with ThreadPoolExecutor(1) as pool:
        examined = pool.submit(nifti.examine, path, finite=finite)
        try:
            image: sitk.Image = reader.Execute()
        finally:
            reason, lost = examined.result()
            if reason:
                raise ValueError(f"{reason}; copy it again or repair it")
    return image if lost is None else with_nan(image, lost)


def with_nan(image: sitk.Image, lost: np.ndarray) -> sitk.Image:
    """The image of a NIfTI file with what is NaN or infinite in it: ITK reads 0 there. lost: as of `nifti.examine`."""
    array, count = sitk.GetArrayFromImage(image), image.GetNumberOfComponentsPerPixel()
    grid = array.shape[: image.GetDimension()]
    values = np.moveaxis(lost.reshape(count, *grid), 0, -1).reshape(array.shape)
    np.copyto(array, values, where=~np.isfinite(values))
    found = sitk.GetImageFromArray(array, isVector=count > 1)
    found.CopyInformation(image)
    return found


@contextmanager
def reading(path: Path, case: str, kind: type[MetaSSLError]) -> Iterator[None]:
    """Whatever is raised in the block becomes an error of that kind, naming case and file."""
    if not is_unicode(str(path)):
        raise kind(f"case {case}: cannot use {path}: its name is not in Unicode; rename it")
    try:
        if not path.exists():
            raise kind(f"case {case}: there is no file {path}; restore it or take the case out")
        with quiet():
            yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise kind(f"case {case}: cannot read {path}: {reason}") from error
    except ValueError as error:
        raise kind(f"case {case}: cannot use {path}: {error}") from error
    except RuntimeError as error:
        raise kind(f"case {case}: cannot read {path}: {_short(error)}") from error
    except MemoryError as error:
        raise kind(f"case {case}: cannot read {path}: the memory is too small for it") from error


def is_dicom(path: Path) -> bool:
    """True for a folder, and for a DICOM file that has no other format's name."""
    if path.is_dir():
        return True
    return not path.name.lower().endswith(IMAGE_SUFFIXES) and dicom.is_dicom_file(path)


def _usable(geometry: Geometry) -> Geometry:
    numbers = np.array([*geometry.spacing_xyz, *geometry.origin_xyz, *geometry.direction])
    if not (np.abs(numbers) <= nifti.MAX_MM).all() or min(geometry.spacing_xyz) <= 0:
        spacing = "x".join(f"{n:g}" for n in geometry.spacing_xyz)
        raise ValueError(f"its header has an impossible grid (spacing {spacing} mm); correct it")
    if min(geometry.size_xyz) < 1:
        raise ValueError("it has no voxels")
    if reason := impossible(geometry.size_xyz):
        raise ValueError(reason)
    return geometry


def _many_axes(size: Sequence[int]) -> str:
    shape = "x".join(str(n) for n in size)
    return f"it has {len(size)} axes ({shape}); give one 3-D file per channel or time point"


def _components(image: sitk.Image, geometry: Geometry) -> list[np.ndarray]:
    array = sitk.GetArrayViewFromImage(image)
    count = image.GetNumberOfComponentsPerPixel()
    if count == 1:
        return [array.reshape(geometry.shape_zyx)]
    array = array.reshape(*geometry.shape_zyx, count)
    return [array[..., component] for component in range(count)]


def _checked(channel: np.ndarray, path: Path, case: str) -> tuple[np.ndarray, float]:
    """The channel as float32 without NaN and infinite values, and the share of voxels that had them."""
    if channel.dtype.kind not in "iuf":
        raise ImageError(f"case {case}: {path} does not hold plain numbers")
    with np.errstate(over="ignore"):
        array = channel.astype(np.float32)
    low, high = float(array.min()), float(array.max())  # NaN and Inf both show in these
    share = 0.0
    if not np.isfinite(low) or not np.isfinite(high):
        lost = ~np.isfinite(array)
        share = float(lost.mean())
        if share > MOST_LOST:
            bad = f"{100 * share:.3g} % of its voxels"
            raise ImageError(f"case {case}: {path} cannot be used: {bad} are NaN or infinite; repair or remove it")
        low, high = float(array[~lost].min()), float(array[~lost].max())
        array[lost] = np.where(array[lost] > 0, high, low)
    if low == high:
        raise ImageError(f"case {case}: {path} is empty: every voxel has the value {low:g}; repair or remove it")
    return array, share


def _short(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = next((line for line in lines if "ERROR" in line), lines[-1] if lines else "")
    text = _ITK_OBJECT.sub("", text.split("ERROR: ", 1)[-1])
    if "orthonormal" in text:
        return "its axes are not at right angles; resample it to a straight grid"
    return f"{text.rstrip('.:')[:160] or type(error).__name__}; is the file whole?"
