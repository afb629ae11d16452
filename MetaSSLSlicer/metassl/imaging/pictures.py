"""PNG, JPEG, TIFF and BMP pictures: read as volumes of one slice, their colours as channels."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from metassl.files.atomic import atomic_write, make_folder
from metassl.files.errors import ImageError, LabelError, MetaSSLError

from .geometry import Geometry
from .reader import quiet
from .writer import write_image

_READERS = {
    (".png",): "PNGImageIO",
    (".jpg", ".jpeg"): "JPEGImageIO",
    (".tif", ".tiff"): "TIFFImageIO",
    (".bmp",): "BMPImageIO",
}
PICTURE_SUFFIXES = tuple(suffix for suffixes in _READERS for suffix in suffixes)
LOSSY_SUFFIXES = (".jpg", ".jpeg")
_COLOURS = {1: ["image"], 2: ["image"], 3: ["red", "green", "blue"], 4: ["red", "green", "blue"]}  # without opacity


def is_picture(path: Path) -> bool:
    return path.name.lower().endswith(PICTURE_SUFFIXES)


def picture_channels(path: Path, case: str) -> list[str]:
    """The names of a picture's channels, from its header. Raises ImageError."""
    count = _header(path, case, ImageError).GetNumberOfComponents()
    if count not in _COLOURS:
        raise ImageError(f"case {case}: {path} has {count} colours a pixel; give a grey or an RGB picture")
    return _COLOURS[count]


def read_picture(path: Path, case: str, kind: type[MetaSSLError] = ImageError) -> tuple[list[np.ndarray], Geometry]:
    """The channels of a picture, (z, y, x) each, without its opacity, and its grid: 1 mm a pixel unless it says so."""
    reader = _header(path, case, kind)
    try:
        with quiet():
            image = reader.Execute()
    except RuntimeError as error:
        raise kind(f"case {case}: cannot read {path}; is the file whole?") from error
    geometry = Geometry.of(image)
    count = image.GetNumberOfComponentsPerPixel()
    array = sitk.GetArrayFromImage(image).reshape(*geometry.shape_zyx, count)
    return [array[..., n] for n in range(len(_COLOURS.get(count, [""])))], geometry


def read_mask_picture(path: Path, case: str) -> tuple[np.ndarray, Geometry]:
    """A mask that is a picture, (z, y, x), and its grid. LabelError for a colour picture, and for JPEG, which changes
    values.
    """
    if path.name.lower().endswith(LOSSY_SUFFIXES):
        raise LabelError(f"case {case}: {path} is a JPEG, which does not keep the values of a mask; save it as PNG")
    channels, geometry = read_picture(path, case, LabelError)
    if any(not np.array_equal(channels[0], other) for other in channels[1:]):
        raise LabelError(f"case {case}: {path} is in colour; save the mask with one value a structure (0, 1, 2 ...)")
    return np.ascontiguousarray(channels[0]), geometry


def write_picture_channels(path: Path, folder: Path, case: str) -> list[Path]:
    """Write each channel of a picture to `folder`/CASE_0000.nrrd, ... and return the paths."""
    channels, geometry = read_picture(path, case)
    make_folder(folder)
    written = []
    for number, channel in enumerate(channels):
        image = geometry.apply(sitk.GetImageFromArray(np.ascontiguousarray(channel)))
        target = folder / f"{case}_{number:04d}.nrrd"
        atomic_write(target, partial(write_image, image=image))
        written.append(target)
    return written


def _header(path: Path, case: str, kind: type[MetaSSLError]) -> sitk.ImageFileReader:
    reader = sitk.ImageFileReader()
    reader.SetImageIO(next(name for suffixes, name in _READERS.items() if path.name.lower().endswith(suffixes)))
    reader.SetFileName(str(path))
    try:
        with quiet():
            reader.ReadImageInformation()
    except RuntimeError as error:
        raise kind(f"case {case}: cannot read {path}; is the file whole?") from error
    return reader
