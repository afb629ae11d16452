"""Which of the cases that were found can be used, by their headers, and as what images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from metassl.files.atomic import atomic_write, make_folder
from metassl.files.errors import ImageError, ProjectError
from metassl.imaging import nifti
from metassl.imaging.geometry import Geometry
from metassl.imaging.images import count_channels, read_geometry, read_volume
from metassl.imaging.pictures import is_picture, picture_channels, write_picture_channels
from metassl.imaging.usual_grid import FEWEST, UNLIKE, differences
from metassl.imaging.volumes import resampled, split_volumes, volume_count
from metassl.imaging.writer import write_image
from metassl.project.words import count as counted
from metassl.project.words import plural

from .found import Discovery, FoundCase

_SAME_PLACE = 0.5
"""Of the smaller image, in the larger one: channels that overlap less show something else."""


def usable_cases(
    found: Discovery, channels: list[str] | None = None
) -> tuple[dict[str, FoundCase], list[str], list[str]]:
    """The cases whose headers can be read, the channel names, and a warning for each other.

    channels: those that a project has already; else they are those of most cases. Raises ProjectError for none.
    """
    names: dict[str, list[str]] = {}
    grids: dict[str, Geometry | None] = {}
    warnings = []
    for case in found.cases:
        try:
            names[case.id], grids[case.id] = _headers(case, found.channels)
        except ImageError as error:
            warnings.append(f"{error} (the case is left out)")
        else:
            warnings += _two_grids(case, grids[case.id])
    if not names:
        raise ProjectError(
            plural(len(found.cases), "the only case cannot be read", "none of the {count} cases can be read")
            + f": {warnings[0]}"
        )
    if channels is None:
        common = Counter(map(len, names.values())).most_common(1)[0][0]
        listed = len(found.channels) > 1 or common == 1
        channels = found.channels if listed else next(own for own in names.values() if len(own) == common)
    warnings += _odd_grids(found.cases, grids)
    usable = {}
    for case in found.cases:
        if case.id in names and len(names[case.id]) != len(channels):
            warnings.append(
                f"case {case.id}: {case.images[0]} has {counted(len(names[case.id]), 'channel')}, the data set "
                f"{len(channels)} (the case is left out)"
            )
        elif case.id in names:
            usable[case.id] = case
    if not usable:
        raise ProjectError(f"no case has {counted(len(channels), 'channel')}: {warnings[0]}")
    return usable, channels, warnings


def _two_grids(case: FoundCase, grid: Geometry | None) -> list[str]:
    """A sentence for each NIfTI file whose header has two grids that differ: other programs may take the other one."""
    told: list[str] = []
    if grid is None:
        return told
    for image in case.images:
        if nifti.is_nifti(image) and (found := nifti.two_grids(image)):
            voxels, sform = found
            taken = "sform" if np.allclose(grid.ijk_to_ras[:3], sform, atol=1e-2) else "qform"
            told.append(
                f"case {case.id}: {image}: its header has two grids (sform and qform), {voxels:.3g} voxels apart; the "
                f"{taken} is taken: look whether its label fits"
            )
    return told


def _odd_grids(cases: list[FoundCase], grids: Mapping[str, Geometry | None]) -> list[str]:
    """A sentence for each image whose spacing or size is unlike that of most others, by its header."""
    found = {
        case: np.array([sorted(grid.spacing_xyz), sorted(np.multiply(grid.spacing_xyz, grid.size_xyz))])
        for case, grid in grids.items()
        if grid is not None
    }
    if len(found) < FEWEST:
        return []
    usual = np.median(list(found.values()), axis=0)
    odd = [(case, differences(*found.get(case.id, usual), *usual)) for case in cases]
    return [f"case {case.id}: {case.images[0]}: {UNLIKE}{reason}" for case, reason in odd if reason]


def images_of(folder: Path, case: FoundCase, channels: int) -> tuple[list[Path], list[str]]:
    """The image files of a case, and what should be told of them.

    Volumes of a 4-D file, the colours of a picture and channels on other grids are written to `folder`. ImageError.
    """
    if _is_stacked(case, channels):
        return split_volumes(case.images[0], folder, case.id), []
    if is_picture(case.images[0]):
        return [path for image in case.images for path in write_picture_channels(image, folder, case.id)], []
    return _on_one_grid(folder, case)


def _headers(case: FoundCase, channels: list[str]) -> tuple[list[str], Geometry | None]:
    """The names of the channels of a case, after a check of its headers, and its grid; not of pictures and 4-D."""
    if _is_stacked(case, len(channels)):
        return channels, None
    if is_picture(case.images[0]):
        return [name for image in case.images for name in picture_channels(image, case.id)], None
    grids = [read_geometry(image, case.id) for image in case.images]
    for image, grid in zip(case.images, grids):
        if grids[0].difference(grid) and _overlap(grids[0], grid) < _SAME_PLACE:
            raise ImageError(
                f"case {case.id}: {image} is not on the grid of {case.images[0]} and shows another place: "
                f"{grids[0].difference(grid)}"
            )
    count = sum(count_channels(image, case.id) for image in case.images)
    return (["image"] if count == 1 else [f"channel {n}" for n in range(count)]), grids[0]


def _is_stacked(case: FoundCase, channels: int) -> bool:
    return channels > 1 and len(case.images) == 1 and volume_count(case.images[0]) == channels


def _on_one_grid(folder: Path, case: FoundCase) -> tuple[list[Path], list[str]]:
    grid = read_geometry(case.images[0], case.id)
    paths, told = [case.images[0]], []
    for number, image in enumerate(case.images[1:], start=1):
        if not (difference := grid.difference(read_geometry(image, case.id))):
            paths.append(image)
            continue
        volumes, own = read_volume(image, case.id)
        if len(volumes) > 1:
            raise ImageError(f"case {case.id}: {image} holds several channels and is not on the grid of {paths[0]}")
        moved = resampled(volumes[0], own, grid)
        target = make_folder(folder) / f"{case.id}_{number:04d}.nrrd"
        atomic_write(target, partial(write_image, image=moved))
        paths.append(target)
        told.append(f"case {case.id}: {image} was resampled onto the grid of {case.images[0]} ({difference})")
    return paths, told


def _overlap(first: Geometry, second: Geometry) -> float:
    """The part of the smaller box, along the axes of the patient, that lies in the other."""
    boxes = [_box(grid) for grid in (first, second)]
    low = np.maximum(boxes[0][0], boxes[1][0])
    high = np.minimum(boxes[0][1], boxes[1][1])
    shared = np.prod(np.clip(high - low, 0, None))
    return float(shared / max(min(np.prod(top - bottom) for bottom, top in boxes), 1e-9))


def _box(grid: Geometry) -> tuple[np.ndarray, np.ndarray]:
    size, spacing = np.array(grid.size_xyz), np.array(grid.spacing_xyz)
    axes = np.array(grid.direction).reshape(3, 3) * spacing
    steps = np.array(np.meshgrid(*[[-0.5, n - 0.5] for n in size], indexing="ij")).reshape(3, -1)
    corners = np.array(grid.origin_xyz)[:, None] + axes @ steps
    return corners.min(axis=1), corners.max(axis=1)
