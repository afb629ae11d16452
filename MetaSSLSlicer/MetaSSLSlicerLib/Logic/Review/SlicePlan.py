"""Which slices of the open case are worth correcting, where they are, and how long they take. Runs in a thread."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from metassl.imaging import Geometry
from metassl.project import Project
from metassl.project.effort.looked import read_looked_at
from metassl.project.effort.maps import read_work
from metassl.project.effort.pace import pace_of
from metassl.project.effort.slices import as_known, done_slices, worthwhile_slices
from metassl.project.masks import bounding_box

from ..Case.CaseFiles import CaseData
from ..Scene.SliceStack import SliceStack

_LEAST_SIDE_MM = 40.0
_ROOM = 1.6  # round what is shown


@dataclass(frozen=True)
class SlicePlan:
    """`axis`: of an array (z, y, x), across the slices. `waiting`: those that are worth it, the most costly first.

    `done`: those that are annotated as a whole, and were looked at. `seconds`: that each of all slices
    takes. `rest`: where the case is opened with the label of a part of it, that label with the prediction elsewhere,
    uint8 (z, y, x).
    """

    axis: int
    waiting: list[int]
    done: list[int]
    seconds: list[float]
    geometry: Geometry
    rest: np.ndarray | None = None
    centres: dict[int, tuple[float, float, float]] = field(default_factory=dict)
    """RAS in mm of the middle of what is expected to be wrong in each of the waiting slices."""
    sides: dict[int, float] = field(default_factory=dict)
    """In mm: what a view has to show of each."""

    def without(self, done: list[int]) -> SlicePlan:
        """The plan when these slices are done, too."""
        waiting = [each for each in self.waiting if each not in done]
        return replace(self, waiting=waiting, done=sorted({*self.done, *done}), rest=None)

    def centre(self, number: int) -> tuple[float, float, float]:
        """RAS in mm of the middle of a slice, or of what is expected to be wrong in it."""
        if number in self.centres:
            return self.centres[number]
        index = [(n - 1) / 2 for n in self.geometry.shape_zyx]
        index[self.axis] = number
        return _ras(self.geometry, index)

    @property
    def stack(self) -> SliceStack:
        return SliceStack(self.geometry, self.axis)


def planSlices(project: Project, data: CaseData) -> SlicePlan | None:
    """None where a former version made the prediction. MetaSSLError when a file is damaged."""
    prediction, geometry = data.prediction, data.geometry
    if prediction is None or prediction.summary.effort is None:
        return None
    effort, case = prediction.summary.effort, project.case(data.caseId)
    former = read_looked_at(project, case.id)[0] if case.is_reviewed else None
    done = [] if former is None else done_slices(former, effort.axis)
    waiting, factor = worthwhile_slices(effort, done), pace_of(project).factor
    plan = SlicePlan(
        axis=effort.axis,
        waiting=waiting,
        done=done,
        seconds=[factor * each for each in effort.slice_seconds()],
        geometry=geometry,
        rest=as_known(data.label, prediction.segmentation) if data.label is not None and case.is_partial else None,
    )
    work = read_work(prediction.paths, prediction.summary, geometry, data.caseId) if waiting else None
    for number in waiting:
        shown = np.take(prediction.segmentation, number, effort.axis) > 0
        deep = None if work is None else np.take(work[1], number, effort.axis)
        plan.centres[number], plan.sides[number] = _look(plan, number, shown, deep)
    return plan


def _look(plan: SlicePlan, number: int, shown: np.ndarray, deep: np.ndarray | None) -> tuple[tuple, float]:
    """Where to look in a slice, and how many mm of it: the structures, and what is expected to be wrong."""
    likely = shown if deep is None or not deep.any() else deep >= 0.5 * deep.max()
    spots = np.argwhere(likely)
    if not len(spots):
        return plan.centre(number), _LEAST_SIDE_MM
    weights = np.ones(len(spots)) if deep is None else deep[likely]
    middle = (spots * weights[:, None]).sum(0) / weights.sum()
    index = list(middle)
    index.insert(plan.axis, number)
    steps = [step for axis, step in enumerate(plan.geometry.spacing_zyx) if axis != plan.axis]
    box = bounding_box(shown | likely)
    reach = [max(side.stop - m, m - side.start + 1) * step for side, m, step in zip(box, middle, steps)]
    return _ras(plan.geometry, index), max(2 * _ROOM * max(reach), _LEAST_SIDE_MM)


def _ras(geometry: Geometry, index_zyx: list[float]) -> tuple[float, float, float]:
    x, y, z = (float(each) for each in (geometry.ijk_to_ras @ [*index_zyx[::-1], 1.0])[:3])
    return x, y, z
