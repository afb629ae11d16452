"""Which slices of the open case somebody looked at: those that a view showed for a moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import numpy as np
from metassl.imaging import IGNORE, Geometry
from metassl.project import Case, Project
from metassl.project.effort.expected import review_axis
from metassl.project.effort.looked import looked_at, slices_to_look_at
from metassl.project.effort.slices import done_slices

from ..Scene.SliceStack import SliceStack

LEAST_S = 0.3
"""A slice that is shown for a shorter time is passed by."""

Shown = tuple[frozenset, ...]
"""The slices across each axis of an array (z, y, x)."""


class ShownSlices:
    """Have `tick` called when one of the `views` (vtkMRMLSliceNode) is modified."""

    def __init__(self, geometry: Geometry, views: Iterable, clock: Callable[[], float] = time.monotonic) -> None:
        self._stacks = [SliceStack(geometry, axis) for axis in range(3)]
        self._views, self._clock = list(views), clock
        self._seen: set[tuple[int, int]] = set()
        self._now: dict[str, tuple[tuple[int, int] | None, float]] = {}
        self.forget()

    def forget(self) -> None:
        """Something else is shown from now on."""
        self._seen, self._now = set(), {}
        for view in self._views:
            self.tick(view)

    def tick(self, view, *_event: object) -> None:
        """A view may show another slice by now. It takes anything, so that an observer may call it."""
        shown, time_ = self._shownBy(view), self._clock()
        before, since = self._now.get(view.GetID(), (None, time_))
        if shown == before:
            time_ = since
        elif before is not None and time_ - since >= LEAST_S:
            self._seen.add(before)
        self._now[view.GetID()] = shown, time_

    def end(self) -> None:
        """The case is closed: the views show something else from now on."""
        self._seen, self._now = self._seen | self._shownNow(), {}

    def seen(self) -> Shown:
        """What was shown until now."""
        found = self._seen | self._shownNow()
        return tuple(frozenset(number for axis, number in found if axis == each) for each in range(3))

    def _shownNow(self) -> set[tuple[int, int]]:
        time_ = self._clock()
        return {shown for shown, since in self._now.values() if shown is not None and time_ - since >= LEAST_S}

    def _shownBy(self, view) -> tuple[int, int] | None:
        if not view.IsMappedInLayout():
            return None
        for stack in self._stacks:
            number = stack.shownBy(view)
            if number is not None:
                return stack.axis, number
        return None


def lookedAt(
    project: Project,
    before: Case,
    label: np.ndarray,
    prediction: np.ndarray,
    geometry: Geometry,
    shown: Shown,
    others: Iterable[int] = (),
) -> list[int] | None:
    """What `Case.looked` is to be of a label (uint8, z y x) that was made of a prediction, `before` being the case.

    `others`: slices across `review_axis` that somebody says to have looked at. Whoever looked at the slices across any
    axis has seen all of it. Runs in a task.
    """
    if (label == IGNORE).any():
        return None
    if any(shown[axis].issuperset(slices_to_look_at(axis, label, prediction)) for axis in range(3)):
        return None
    axis = review_axis(geometry)
    seen = {*shown[axis], *others}
    if before.is_reviewed and before.has_gaps:
        seen.update(done_slices(project.read_label(before.id, before.label_version)[0], axis))
    elif before.is_reviewed:
        if before.looked is None:
            return None
        seen.update(before.looked)
    return looked_at(label, prediction, axis, seen)
