"""What somebody looked at of a case: nothing else is evidence of how right its prediction was."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from metassl.imaging.geometry import Geometry
from metassl.imaging.images import IGNORE

from ..masks import bounding_box
from ..project import Project
from .expected import review_axis
from .slices import changed_slices


def slices_to_look_at(axis: int, *arrays: np.ndarray) -> range:
    """From one before the first slice in which any of these, uint8 (z, y, x), shows a structure to one after the last.

    All of the image where none of them shows one.
    """
    boxes = [bounding_box((array > 0) & (array != IGNORE), margin=1) for array in arrays]
    sides = [box[axis] for box in boxes if box is not None]
    if not sides:
        return range(arrays[0].shape[axis])
    return range(min(side.start for side in sides), max(side.stop for side in sides))


def looked_at(label: np.ndarray, prediction: np.ndarray, axis: int, seen: Iterable[int]) -> list[int] | None:
    """What `Case.looked` is to be of a label that was made of a prediction, uint8 (z, y, x).

    `seen`: the slices that were shown. One that was changed was seen, too. None where that is all that there is to look
    at, and where the label leaves voxels out: it says itself then what was looked at.
    """
    if (label == IGNORE).any():
        return None
    looked = {*seen, *changed_slices(label, prediction, axis)}
    return None if looked.issuperset(slices_to_look_at(axis, label, prediction)) else sorted(looked)


def read_looked_at(project: Project, case_id: str) -> tuple[np.ndarray, Geometry]:
    """The annotation of a case as `Project.read_label` gives it, 255 in the slices that nobody looked at."""
    label, geometry = project.read_label(case_id)
    return only_looked_at(label, geometry, project.case(case_id).looked), geometry


def only_looked_at(label: np.ndarray, geometry: Geometry, looked: Iterable[int] | None) -> np.ndarray:
    """The annotation, uint8 (z, y, x), which is changed: 255 in the slices that nobody looked at. looked: of `Case`."""
    if looked is not None:
        axis = review_axis(geometry)
        unseen = np.setdiff1d(np.arange(label.shape[axis]), list(looked))
        np.moveaxis(label, axis, 0)[unseen] = IGNORE
    return label
