"""The annotation of a case that was found: one file, or one binary file a structure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metassl.files.errors import LabelError
from metassl.imaging.annotations import read_annotation
from metassl.imaging.geometry import Geometry
from metassl.imaging.images import read_geometry
from metassl.imaging.pictures import is_picture
from metassl.project.project import Project
from metassl.project.structures import LabelDefinition
from metassl.project.words import count

from .found import Discovery, FoundCase
from .tree import SEGMENTATION_SUFFIXES


def take_label(
    project: Project,
    case: FoundCase,
    found: Discovery,
    tell: Callable[[str], object],
    names: Mapping[int | str, str] | str | None = None,
    **options: Any,
) -> str:
    """Accept the annotation of a case, as `Project.add_label` does with `options`, and return its version.

    names: what the user says of the values; else what the folder says, unless the file does so itself. LabelError.
    """
    if case.structures:
        grid = read_geometry(project.image_paths(case.id)[0], case.id)
        source, told = read_structure_files(case.structures, grid, project.labels, case.id)
        return project.add_label(case.id, (source, grid), coverage=told, **options)
    if case.label is None:
        raise LabelError(f"case {case.id} has no label file")
    if names is None and not case.label.name.lower().endswith(SEGMENTATION_SUFFIXES):
        names = names_of_values(found, project.labels)
        if names is None and is_picture(case.label) and len(project.labels) == 1:
            names = project.labels[0].name  # 0 and 255, or 0 and 1: pictures know no "not annotated"
    return project.add_label(case.id, case.label, names=names, tell=tell, **options)


def names_of_values(found: Discovery, labels: Sequence[LabelDefinition]) -> dict[int | str, str] | None:
    """Value in the folder's files → structure of the project or "ignore"; None where the folder names nothing.

    Names that differ are matched by value, as long as no name stands for two values. Raises LabelError, with both
    lists, otherwise.
    """
    ignored: dict[int | str, str] = dict.fromkeys(found.ignored, "ignore")
    if not found.labels:
        return ignored or None
    ours = {label.name.casefold(): label for label in labels}
    matched = {each.value: ours[each.name.casefold()] for each in found.labels if each.name.casefold() in ours}
    by_value = {label.value: label for label in labels}
    same_values = {each.value for each in found.labels} == set(by_value)
    if len(matched) < len(found.labels) and same_values and all(v == label.value for v, label in matched.items()):
        matched = by_value
    if len(matched) < len(found.labels):
        theirs, known = (", ".join(f"{each.value}={each.name}" for each in side) for side in (found.labels, labels))
        raise LabelError(
            f"{found.source} has the structures {theirs}, and the project {known}: name them alike, or take no labels "
            "(on the command line with --labels, and with --labelled none)"
        )
    return ignored | {value: label.name for value, label in matched.items()}


def told_of_names(found: Discovery, labels: Sequence[LabelDefinition]) -> list[str]:
    """What is taken under another name or number than the folder has, and what is not taken, a sentence each.

    Raises LabelError as `names_of_values` does.
    """
    values, told = names_of_values(found, labels) or {}, []
    ours = {label.name: label for label in labels}
    for theirs in found.labels:
        label = ours[values[theirs.value]]
        if theirs.name.casefold() != label.name.casefold():
            told.append(f"{theirs.value}={theirs.name} in the label files is {label.name} here, by its number")
        elif theirs.value != label.value:
            told.append(f"{theirs.value}={theirs.name} in the label files is {label.value} here, by its name")
    return told + structures_not_taken(found, labels)


def structures_not_taken(found: Discovery, labels: Sequence[LabelDefinition]) -> list[str]:
    """A sentence for each structure that files are named after, and that the project does not have."""
    known = {label.name.casefold() for label in labels}
    unknown = [name for name in found.structure_names if name.casefold() not in known]
    return [f"the files of {name} are left out: no structure of the project has that name" for name in unknown]


def read_structure_files(
    files: Mapping[str, Path],
    grid: Geometry,
    labels: Sequence[LabelDefinition],
    case: str,
) -> tuple[np.ndarray, list[int]]:
    """One annotation, uint8 (z, y, x) on the image's grid, of binary files, and the values that it speaks about.

    Where a structure has no file, whoever drew may not have looked for it. Files of structures that the project does
    not have are not read; `structures_not_taken` tells of them. LabelError where two overlap.
    """
    known = {label.name.casefold(): label for label in labels}
    array = np.zeros(grid.shape_zyx, np.uint8)
    taken = []
    for name, path in files.items():
        label = known.get(name.casefold())
        if label is None:
            continue
        mask = read_annotation(path, grid, labels, case, names=label.name).array == label.value
        if overlap := int(np.count_nonzero(mask & (array > 0))):
            others = [each.name for each in labels if each.value in np.unique(array[mask])]
            raise LabelError(
                f"case {case}: {path}: {name} overlaps {', '.join(others)} in {count(overlap, 'voxel')}; a voxel "
                "belongs to one structure here: take one of them out (on the command line with --labels), or "
                "correct the files"
            )
        array[mask] = label.value
        taken.append(label)
    if not taken:
        raise LabelError(f"case {case} has files of {', '.join(files)}, and none is a structure of this project")
    return array, [label.value for label in taken]
