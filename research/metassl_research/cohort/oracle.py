"""The annotator of a play: it knows the truth, corrects what is wrong by more than the tolerance, and counts its time.

It works in slices, see `review_axis`. It opens a case and looks at slices: at all from the first to the last that the
prediction shows, and one more at each end, or at those that it is told to. A slice with a deep error is corrected: the
deep voxels and what is wrong round them, not the rest of its border. Then the slices beside it are looked at, too, and
so on. Deep voxels that fill less of a slice than one sees are left. Where all that would take longer than to draw the
case, it is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from metassl.files.errors import ProjectError
from metassl.imaging.geometry import Geometry
from metassl.imaging.images import IGNORE, read_labels
from metassl.project.effort.cost import Costs
from metassl.project.effort.depth import deep_errors
from metassl.project.effort.expected import review_axis
from metassl.project.masks import distance_map

from metassl_research.cohort.costs import Work


@dataclass(frozen=True)
class Review:
    """label: the prediction (z, y, x) with its corrections. looked: the slices, of which `corrected` were changed.

    drawn: the case was opened and then drawn from nothing.
    """

    label: np.ndarray
    work: Work
    looked: list[int]
    corrected: list[int]
    drawn: bool = False


class Oracle:
    """truth(case id): the file of its true annotation. values: of the structures. seen_mm2: what is smaller is not."""

    def __init__(
        self,
        truth: Callable[[str], Path],
        values: Sequence[int],
        costs: Costs,
        tolerance_mm: float,
        seen_mm2: float = 0.0,
    ) -> None:
        self._truth, self.values, self.costs = truth, list(values), costs
        self._tolerance, self._seen = tolerance_mm, seen_mm2

    def truth(self, case: str) -> tuple[np.ndarray, Geometry]:
        return read_labels(self._truth(case), case)

    def draw(self, case: str) -> tuple[np.ndarray, Geometry, Work]:
        """The true annotation, and what it costs to draw it."""
        truth, geometry = self.truth(case)
        slices = int(np.count_nonzero(shown(truth, review_axis(geometry))))
        return truth, geometry, Work(draw=self.costs.draw_case + self.costs.draw_slice * slices)

    def review(
        self, case: str, prediction: np.ndarray, geometry: Geometry, slices: Iterable[int] | None = None
    ) -> Review:
        """slices: those to look at; None for all that may show a structure."""
        truth, own = self.truth(case)
        if difference := own.difference(geometry):
            raise ProjectError(f"{self._truth(case)} is not on the grid of case {case}: {difference}")
        axis, spacing = review_axis(geometry), geometry.spacing_zyx
        deep = np.moveaxis(deep_errors(prediction, truth, spacing, self.values, self._tolerance), axis, 0)
        label = prediction.copy()
        shown_truth, into, right = shown(truth, axis), np.moveaxis(label, axis, 0), np.moveaxis(truth, axis, 0)
        in_plane = [step for place, step in enumerate(spacing) if place != axis]
        waiting = sorted(_all_slices(shown(prediction, axis), shown_truth) if slices is None else set(slices))
        looked: list[int] = []
        corrected: list[int] = []
        seconds = 0.0
        while waiting:
            place = waiting.pop(0)
            looked.append(place)
            area = np.count_nonzero(deep[place]) * float(np.prod(in_plane))
            if not area or area < self._seen:
                continue
            change = _to_correct(deep[place], into[place], right[place], in_plane, self._tolerance)
            into[place][change] = right[place][change]
            corrected.append(place)
            seconds += self.costs.correction(1, int(np.count_nonzero(change)))
            beside = {place - 1, place + 1} - {*looked, *waiting}
            waiting += sorted(each for each in beside if 0 <= each < len(deep))
        looking = self.costs.look_slice * len(looked)
        if slices is not None:
            looking += self.costs.arrive * sum(place - 1 not in looked for place in looked)
        work = Work(open=self.costs.open_case, look=looking, correct=seconds)
        drawing = Work(open=self.costs.open_case, draw=self.costs.draw_slice * int(np.count_nonzero(shown_truth)))
        if drawing.seconds < work.seconds:
            return Review(truth, drawing, [], [], drawn=True)
        return Review(label, work, sorted(looked), sorted(corrected))


def shown(array: np.ndarray, axis: int) -> np.ndarray:
    """Which slices across the axis show a structure, bool (n,)."""
    others = tuple(each for each in range(array.ndim) if each != axis)
    found: np.ndarray = ((array > 0) & (array != IGNORE)).any(axis=others)
    return found


def _to_correct(
    deep: np.ndarray, prediction: np.ndarray, truth: np.ndarray, spacing_yx: Sequence[float], tolerance_mm: float
) -> np.ndarray:
    """In one slice (y, x): the wrong voxels no farther than the tolerance from a deep one, up to the true border."""
    far = distance_map(deep[None], (1.0, *spacing_yx))[0] > tolerance_mm
    found: np.ndarray = (prediction != truth) & (truth != IGNORE) & (deep | ~far)
    return found


def _all_slices(predicted: np.ndarray, true: np.ndarray) -> list[int]:
    """From one before the first predicted slice to one after the last, and on as long as these show a structure.

    All of the image where nothing is predicted.
    """
    found = np.flatnonzero(predicted)
    if not found.size:
        return list(range(len(predicted)))
    first, last = max(int(found[0]) - 1, 0), min(int(found[-1]) + 1, len(predicted) - 1)
    while first > 0 and true[first]:
        first -= 1
    while last < len(predicted) - 1 and true[last]:
        last += 1
    return list(range(first, last + 1))
