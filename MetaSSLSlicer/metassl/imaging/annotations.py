"""The one door for annotations: any file that holds one becomes values of the project on the image's grid."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from metassl.files.errors import LabelError

from . import nifti
from .dicom import segmentation_in
from .dicom_seg import read_segmentation
from .geometry import Geometry, Placement
from .images import is_dicom, read_channels, reading
from .label_tables import labels_beside, nifti_table
from .matching import Match, Structure, listed, match_segments, named
from .pictures import is_picture, read_mask_picture
from .segments import IGNORE, Contents, Segment, header_of, slicer_segmentation, values_in

_ROUNDING = 1e-3
"""So far from whole numbers may values be that a format holds as fractions, or scales."""


@dataclass(frozen=True)
class Annotation:
    """`array`: uint8 (z, y, x) on the image's grid, 0 background, IGNORE where not annotated, else structures' values.

    notes: sentences for the user, each naming case and file: what the file says in another way than by these numbers,
    and what of it lies elsewhere.
    """

    array: np.ndarray
    notes: list[str] = field(default_factory=list)


def read_annotation(
    path: Path,
    grid: Geometry,
    structures: Sequence[Structure],
    case: str,
    names: Mapping[int | str, str] | str | None = None,
    image: Path | str = "the image",
) -> Annotation:
    """Read an annotation of the image with this grid: NIfTI, NRRD, MetaImage, .seg.nrrd, DICOM SEG.

    structures: those of the project (`LabelDefinition`). What the file says of its values is believed before its
    numbers: segments of a .seg.nrrd or DICOM SEG, the label table of a NIfTI file, the dataset.json beside labelsTr.
    names: what the caller knows of the values, believed before that: {value or segment's name in the file: structure,
    "background" or "ignore"}; or one structure, for a file that shows that alone, whichever number it has. image: what
    has the grid, for messages.

    The file's grid may be larger, smaller, flipped or turned, as long as voxels coincide. What it does not cover is
    background where the format means that, else not annotated. Raises LabelError, naming case, file and what to do.
    """
    path = Path(path)
    where = f"case {case}: {path}"
    contents = read_contents(path, case)
    present = values_in(contents.array)
    try:
        placement = contents.geometry.placement(grid, contents.slack)
        if isinstance(placement, str):
            raise ValueError(f"it is not on the grid of {image}: {placement}; resample it to the image")
        match = _match(contents, present, path, structures, names)
        if contents.fills and contents.geometry.size_xyz == grid.size_xyz and placement.moves:
            x, y, z = placement.offset
            raise ValueError(
                f"it is not on the grid of {image}: it is as large, and lies {x}, {y}, {z} voxels off; "
                "correct its origin"
            )
        array, notes = placed(_mapped(contents.array, match), placement, grid, contents.fills)
    except ValueError as error:
        raise LabelError(f"{where}: {error}") from error
    return Annotation(array, [f"{where}: {note}" for note in (*match.notes, *notes)])


def read_contents(path: Path, case: str) -> Contents:
    """An annotation file as it is, with what it says of its values itself. Raises LabelError, naming case and file."""
    path = Path(path)
    if is_picture(path):
        return Contents(*read_mask_picture(path, case))
    with reading(path, case, LabelError):
        if is_dicom(path) and (file := segmentation_in(path)):
            return read_segmentation(file)
    image, geometry, channels = read_channels(path, case)
    header = header_of(image)
    try:
        layers = [_whole(channel) for channel in channels]
        found = slicer_segmentation(layers, geometry, header)
        if found is not None:
            return found
        if len(layers) != 1:
            raise ValueError(f"it has {len(layers)} layers, and says of none what it shows; export it as one labelmap")
        table = nifti_table(path) if nifti.is_nifti(path) else {}
    except (ValueError, EOFError, OSError, zlib.error) as error:
        raise LabelError(f"case {case}: {path}: {error}") from error
    segments = [Segment(value, name) for value, name in table.items()]
    return Contents(layers[0], geometry, segments or None, header=header)


def _match(
    contents: Contents,
    present: Sequence[int],
    path: Path,
    structures: Sequence[Structure],
    names: Mapping[int | str, str] | str | None,
) -> Match:
    segments, lenient = contents.segments, False
    if isinstance(names, str):
        shown = [value for value in present if value != 0]
        if len(shown) > 1:
            raise ValueError(f"it holds {len(shown)} values besides 0, and should show {names} alone")
        names = dict.fromkeys(shown, names)
    elif names is None and segments is None and (beside := labels_beside(path)):
        names, lenient = beside.meaning, True
    if segments is not None:
        segments = named(segments, names or {})
    elif names is not None:
        segments = [Segment(int(value), name) for value, name in names.items()]
    unnamed = contents.fills == IGNORE and IGNORE in present and IGNORE not in {each.value for each in segments or ()}
    if unnamed and set(present) == {0, IGNORE}:
        raise ValueError(
            "it holds 0 and 255 alone, and 255 means not annotated: for a mask, write the structure's value in its "
            f"place, or say so (on the command line with --values 255={structures[0].name}); if 0 is what somebody "
            "looked at, --values 255=ignore"
        )
    if segments is None:
        match = _by_number(present, structures)
    else:
        match = match_segments(segments, structures, present, lenient)
    if unnamed:
        share = np.count_nonzero(contents.array == IGNORE) / contents.array.size
        match.notes.append(f"{100 * share:.2g} % of its voxels are 255, which means not annotated")
    return match


def _by_number(present: Sequence[int], structures: Sequence[Structure]) -> Match:
    known = {0, IGNORE, *(each.value for each in structures)}
    if strange := [value for value in present if value not in known]:
        text = ", ".join(map(str, strange[:8])) + ", ..." * (len(strange) > 8)
        meant = "ignore" if strange[0] < 0 else structures[0].name
        raise ValueError(
            f"it holds the value{'s' * (len(strange) > 1)} {text}, which this project does not have "
            f"({listed(structures)}; 0 is background, 255 not annotated); correct the annotation, or say what "
            f"they mean (on the command line with --values={strange[0]}={meant})"
        )
    return Match({value: value for value in present})


def _mapped(array: np.ndarray, match: Match) -> np.ndarray:
    values = match.values
    if array.dtype == np.uint8 and all(value == new for value, new in values.items()):
        return array
    if array.dtype.kind == "u" and array.dtype.itemsize <= 2:
        table = np.full(1 << 8 * array.dtype.itemsize, IGNORE, np.uint8)
        table[list(values)] = list(values.values())
        found: np.ndarray = table[array]
        return found
    mapped = np.full(array.shape, IGNORE, np.uint8)
    for value, new in values.items():
        mapped[array == value] = new
    return mapped


def placed(array: np.ndarray, placement: Placement, grid: Geometry, fills: int) -> tuple[np.ndarray, list[str]]:
    """The array (uint8, z y x) on the image's grid, `fills` where it is not, and what is to be told of that.

    ValueError when it, or all that it shows, lies beside the image.
    """
    axes = np.abs(placement.steps).argmax(1)  # for each of the image's axes (x, y, z), the file's
    signs = placement.steps[np.arange(3), axes]
    turned = array.transpose([2 - axes[2 - place] for place in range(3)])
    turned = np.flip(turned, tuple(place for place in range(3) if signs[2 - place] < 0))
    first = placement.offset - np.where(signs < 0, np.array(turned.shape[::-1]) - 1, 0)
    size = np.array(turned.shape[::-1])
    low, high = np.maximum(first, 0), np.minimum(first + size, grid.size_xyz)
    if np.any(low >= high):
        raise ValueError("it is beside the image: their grids have no voxel in common; is it of this image?")
    inside = tuple(slice(a, b) for a, b in zip((low - first)[::-1], (high - first)[::-1]))
    notes = []
    lost = _shown(turned) - _shown(turned[inside])
    if lost and lost == _shown(turned):
        raise ValueError("it is beside the image: all that it shows lies outside of it; is it of this image?")
    if lost:
        notes.append(f"voxels of its structures lie outside of the image, and are left out ({lost})")
    if np.all(first == 0) and tuple(size) == tuple(grid.size_xyz):
        return np.ascontiguousarray(turned), notes
    placed = np.full(grid.shape_zyx, fills, np.uint8)
    placed[tuple(slice(a, b) for a, b in zip(low[::-1], high[::-1]))] = turned[inside]
    if fills and np.any(high - low < np.array(grid.size_xyz)):
        notes.append("it covers a part of the image, and the rest is taken as not annotated")
    return placed, notes


def _shown(array: np.ndarray) -> int:
    return int(np.count_nonzero((array != 0) & (array != IGNORE)))


def _whole(channel: np.ndarray) -> np.ndarray:
    """The same as whole numbers, of as few bits as they need. ValueError when they are none."""
    if channel.dtype.kind not in "iuf":
        raise ValueError("it does not hold numbers")
    if channel.dtype.kind == "f":
        if bad := np.count_nonzero(~np.isfinite(channel)):
            raise ValueError(f"it has voxels that are NaN or infinite ({bad}): is it a labelmap?")
        rounded = np.rint(channel)
        if not np.all(np.abs(channel - rounded) <= _ROUNDING):
            raise ValueError("it holds values that are not whole: is it a labelmap?")
        channel = rounded
    low, high = int(channel.min()), int(channel.max())
    kind = np.uint8 if 0 <= low and high < 1 << 8 else np.uint16 if 0 <= low and high < 1 << 16 else np.int64
    return np.array(channel, kind)  # a view of ITK's memory would outlive it
