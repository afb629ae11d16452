"""The annotation of a case that was found: one file, or one binary file a structure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from metassl.files.errors import LabelError
from metassl.imaging.geometry import Geometry
from metassl.imaging.images import IGNORE, read_labels
from metassl.imaging.pictures import LOSSY_SUFFIXES, is_picture, read_picture
from metassl.project.structures import LabelDefinition

from .found import Discovery, FoundCase


def annotation_of(
    case: FoundCase, labels: Sequence[LabelDefinition], found: Discovery
) -> tuple[np.ndarray, Geometry] | Path:
    """What `Project.add_label` takes: the file as it is, or the array (z, y, x), uint8, with its grid.

    `found`: what its folder says of the values in it. Raises LabelError.
    """
    if case.structures:
        return read_structure_files(case.structures, labels, case.id)
    values = values_by_name(found, labels)
    if is_picture(case.label):
        array, geometry = read_mask_picture(case.label, case.id)
    elif all(value == new for value, new in values.items()):
        return case.label
    else:
        array, geometry = read_labels(case.label, case.id)
    table = np.arange(256, dtype=np.uint8)
    table[list(values)] = list(values.values())
    return table[array], geometry


def values_by_name(found: Discovery, labels: Sequence[LabelDefinition]) -> dict[int, int]:
    """Value in the folder's files → value in the project: structures are matched by name, where the folder has names.

    Names that differ are matched by value, as long as no name stands for two values. Raises LabelError, with both
    lists, otherwise.
    """
    ignored = {} if found.ignored is None else {found.ignored: IGNORE}
    ours = {label.name.casefold(): label.value for label in labels}
    matched = {each.value: ours[each.name.casefold()] for each in found.labels if each.name.casefold() in ours}
    if len(matched) == len(found.labels):
        return {**matched, **ignored}
    same_values = {each.value for each in found.labels} == {label.value for label in labels}
    if same_values and all(value == new for value, new in matched.items()):
        return ignored
    theirs, known = (", ".join(f"{each.value}={each.name}" for each in side) for side in (found.labels, labels))
    raise LabelError(
        f"{found.source} has the structures {theirs}, and the project {known}: name them alike (--labels), or leave "
        "the labels out (--labelled none)"
    )


def read_structure_files(
    files: dict[str, Path], labels: Sequence[LabelDefinition], case: str
) -> tuple[np.ndarray, Geometry]:
    """One annotation of binary files. Where a structure has no file, whoever drew may not have looked for it: what is
    no structure then counts as not annotated. Raises LabelError where two structures overlap.
    """
    values = {label.name.casefold(): label.value for label in labels}
    array = geometry = first = None
    for name, path in files.items():
        if name.casefold() not in values:
            continue
        mask, grid = _binary(path, case)
        if array is None:
            array, geometry, first = np.zeros(mask.shape, np.uint8), grid, path
        elif difference := geometry.difference(grid):
            raise LabelError(f"case {case}: {path} is not on the grid of {first}: {difference}")
        if overlap := int(np.count_nonzero(mask & (array > 0))):
            others = [each for each in files if each.casefold() in values and values[each.casefold()] in array[mask]]
            raise LabelError(
                f"case {case}: {name} overlaps {', '.join(others)} in {overlap} voxels; a voxel belongs to one "
                "structure here: take one of them out (--labels), or correct the files"
            )
        array[mask] = values[name.casefold()]
    if array is None:
        raise LabelError(f"case {case} has files of {', '.join(files)}, and none is a structure of this project")
    if not values.keys() <= {name.casefold() for name in files}:
        array[array == 0] = IGNORE
    return array, geometry


def read_mask_picture(path: Path, case: str) -> tuple[np.ndarray, Geometry]:
    """A mask that is a picture. LabelError for a colour picture, and for JPEG, whose values are not what was drawn."""
    if path.name.lower().endswith(LOSSY_SUFFIXES):
        raise LabelError(f"case {case}: {path} is a JPEG, which does not keep the values of a mask; save it as PNG")
    channels, geometry = read_picture(path, case, LabelError)
    if any(not np.array_equal(channels[0], other) for other in channels[1:]):
        raise LabelError(f"case {case}: {path} is in colour; save the mask with one value a structure (0, 1, 2 ...)")
    if channels[0].max() > IGNORE:
        raise LabelError(f"case {case}: {path} holds values up to {channels[0].max():g}; labels are 0 to 255")
    return channels[0].astype(np.uint8), geometry


def _binary(path: Path, case: str) -> tuple[np.ndarray, Geometry]:
    array, geometry = read_mask_picture(path, case) if is_picture(path) else read_labels(path, case)
    shown = np.unique(array[array != 0])
    if len(shown) > 1:
        raise LabelError(
            f"case {case}: {path} is named after one structure and holds the values {', '.join(map(str, shown[:5]))}"
        )
    return array != 0, geometry
