"""The autosave: a copy of the segmentation that is being edited, until it is saved as a label.

It is an ordinary Slicer segmentation (.seg.nrrd) that Slicer, and any NRRD reader, opens without us.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from metassl.files import LabelError
from metassl.files.atomic import make_folder
from metassl.imaging import IGNORE, Geometry
from metassl.imaging.annotations import placed, read_contents
from metassl.imaging.segments import SUFFIX, values_in, write_segmentation
from metassl.project import LabelDefinition, Project, check_case_id
from metassl.project.links import refuse_link_out

from ...Translation import _
from ..Scene.Segments import segmentsOf, unknownStructure, valueOf

NUMBER = "~"
"""Stands before the number of a second autosave of a case; the id of a case cannot hold it."""
_LEVEL = 1
_BEGUN_ON, _NO_LABEL = "MetaSSL_LabelVersion", "none"


def autosavePath(project: Project, caseId: str) -> Path:
    """Where the autosave of a case lies, or will lie."""
    return project.path / "journal" / f"{check_case_id(caseId)}{SUFFIX}"


def caseOf(path: Path) -> str:
    """The case of an autosave, by the name of its file."""
    return path.name[: -len(SUFFIX)].partition(NUMBER)[0]


def autosaves(project: Project) -> dict[str, float]:
    """The cases with edits that were never saved, and when each was last written (seconds since 1970)."""
    found = {}
    for path in (project.path / "journal").glob(f"[!.]*{SUFFIX}"):
        try:
            caseId = caseOf(path)
            found[caseId] = max(path.stat().st_mtime, found.get(caseId, 0.0))
        except OSError:  # gone meanwhile
            continue
    return found


def writeAutosave(
    path: Path, array: np.ndarray, geometry: Geometry, labels: Sequence[LabelDefinition], label: str | None = None
) -> None:
    """Write a segmentation (uint8, z y x) in such a way that the former autosave or this one is there, never a part.

    `labels`: of all structures in it, also of those that are not the project's. `label`: the version of the case's
    label that the edits were begun on, None when there was none. Raises ProjectError when it cannot be written.
    """
    make_folder(path.parent, parents=False)
    refuse_link_out(path.parent, path.parent.parent)
    segments = segmentsOf(labels, bool(array.max() == IGNORE))
    write_segmentation(path, array, geometry, segments, {_BEGUN_ON: label or _NO_LABEL}, _LEVEL)


@dataclass(frozen=True)
class AutosaveContent:
    """`array`: uint8 (z, y, x). `unknownStructures`: what it holds besides the project's structures.

    `label`: the version of the case's label that the edits were begun on, None for none, "" when it is not known.
    """

    array: np.ndarray
    unknownStructures: list[LabelDefinition]
    label: str | None


def readAutosave(path: Path, geometry: Geometry, caseId: str, labels: Sequence[LabelDefinition]) -> AutosaveContent:
    """What an autosave holds. LabelError when it is damaged or not on the image's grid."""
    contents = read_contents(path, caseId)
    placement = contents.geometry.placement(geometry)
    if isinstance(placement, str) or placement.turns:
        text = _("case {case}: the unsaved work in {path} is not on the grid of the image: {difference}")
        difference = placement if isinstance(placement, str) else contents.geometry.difference(geometry)
        raise LabelError(text.format(case=caseId, path=path, difference=difference))
    table, names = np.arange(1 << 16), {}
    for segment in contents.segments or []:  # Slicer, if it wrote the file since, has numbered them anew
        value = valueOf(segment.identifier) or segment.written
        table[segment.value], names[value] = value, segment.name
    present = [int(table[value]) for value in values_in(contents.array)]
    if present[-1] > IGNORE or contents.array.dtype.kind != "u":
        text = _("case {case}: the unsaved work in {path} holds values beyond 0 to 255")
        raise LabelError(text.format(case=caseId, path=path))
    try:
        array, _notes = placed(table.astype(np.uint8)[contents.array], placement, geometry, fills=contents.fills)
    except ValueError as error:
        raise LabelError(f"case {caseId}: {path}: {error}") from error
    unknown = sorted(set(present) - {0, IGNORE, *(label.value for label in labels)})
    label = contents.header.get(_BEGUN_ON, "")
    unknownStructures = [unknownStructure(value, names.get(value, "")) for value in unknown]
    return AutosaveContent(array, unknownStructures, None if label == _NO_LABEL else label)
