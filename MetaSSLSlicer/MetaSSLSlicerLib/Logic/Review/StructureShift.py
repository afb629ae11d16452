"""Smaller or larger: the boundary of a structure that is edited moves by a distance, and one undo takes it back."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np
import slicer
from metassl.imaging.segments import segment_id
from vtk.util.numpy_support import numpy_to_vtk

from ...Signal import Signal
from ..Case.CaseSegmentation import ijkToRasMatrix
from ..Case.OpenCase import OpenCase
from ..Case.Session import Session
from ..Scene.ShiftField import ShiftField, shiftField

MOST_STEPS = 20
_STEPS_OF_VOXEL = 4
_INLINE_VOXELS = 4_000_000  # more are compared in a task
_LIVE_S = 0.1


class StructureShift:
    """Moves the structure as it was when it was chosen, or edited otherwise, last. `saveState` keeps it for an undo."""

    def __init__(self, session: Session, saveState: Callable[[], None]) -> None:
        self.changed = Signal()
        """() another structure or distance counts now."""
        self.value: int | None = None
        """The value of the structure; None for none."""
        self.steps = 0
        self.isLive = True
        """False when a move takes so long that it is to wait until the hand rests."""
        self._session, self._saveState = session, saveState
        self._case: OpenCase | None = None
        self._field: ShiftField | None = None
        self._applied = 0
        self._isPreparing = self._isApplying = self._isComparing = False

    @property
    def stepMm(self) -> float:
        """By how much one step moves the boundary: a quarter of a voxel."""
        case = self._session.case
        return 0.0 if case is None else min(case.data.geometry.spacing_xyz) / _STEPS_OF_VOXEL

    @property
    def growth(self) -> float | None:
        """By which share its volume has changed; None where nothing was moved."""
        if self._field is None or not self._applied:
            return None
        before = np.count_nonzero(self._field.inside)
        return np.count_nonzero(self._field.moved(self._applied * self.stepMm)) / before - 1

    def choose(self, value: int | None) -> None:
        """Move this structure from now on; what was moved before stays."""
        if value != self.value:
            self.value = value
            self.forget()

    def forget(self, *_ignored: object) -> None:
        """The structure as it is now is where the next move begins."""
        if self._isApplying:
            return
        self._field, self.steps, self._applied = None, 0, 0
        self.changed.emit()

    def setCase(self, case: OpenCase | None) -> None:
        """Another case, or none."""
        if self._case is not None:
            self._case.edited.disconnect(self.forget)
        self._case = case
        if case is not None:
            case.edited.connect(self.forget)
        self.forget()

    def move(self, steps: int) -> None:
        """Have the boundary so many steps further out than it was; below 0: further in."""
        case = self._case
        if case is None or not case.isEditing or self.value is None:
            return
        self.steps = min(max(steps, -MOST_STEPS), MOST_STEPS)
        if self._field is not None:
            self._apply()
        elif not self._isPreparing:
            self._prepare(case, self.value)
        self.changed.emit()

    def _prepare(self, case: OpenCase, value: int) -> None:
        self._isPreparing = True
        snapshot, revision = case.takeSnapshot(), case.autosave.revision
        labels, geometry, most = case.project.labels, case.data.geometry, MOST_STEPS * self.stepMm

        def work() -> ShiftField | None:
            return shiftField(snapshot.withUnknownStructures(labels)[0], value, geometry, most)

        def done(field: ShiftField | None) -> None:
            self._isPreparing = False
            isSame = case is self._case and case.isEditing and revision == case.autosave.revision
            if isSame and value == self.value and field is not None:
                self._field, self._applied = field, 0
                self._apply()
            else:
                self.forget()

        def failed(error: Exception) -> None:
            self._isPreparing = False
            self._session.fail(error)

        self._session.tasks.run(work, done, failed)

    def _apply(self) -> None:
        """Show the structure as it is to be; while one move is being computed, the next one waits."""
        field, steps = self._field, self.steps
        if steps == self._applied or self._isComparing:
            return
        work = partial(field.moved, steps * self.stepMm)
        if field.inside.size <= _INLINE_VOXELS:
            self._show(field, steps, work())
            return
        self._isComparing = True

        def done(mask: np.ndarray) -> None:
            self._isComparing = False
            if field is self._field:
                self._show(field, steps, mask)
                self._apply()

        self._session.tasks.run(work, done)

    def _show(self, field: ShiftField, steps: int, mask: np.ndarray) -> None:
        case, began = self._case, time.monotonic()
        self._isApplying = True
        try:
            if not self._applied:
                self._saveState()
            _write(case, field, mask)
        finally:
            self._isApplying = False
        self._applied = steps
        self.isLive = time.monotonic() - began <= _LIVE_S
        self.changed.emit()


def _write(case: OpenCase, field: ShiftField, mask: np.ndarray) -> None:
    """Make the segment of the structure hold exactly the mask, as the segment editor does it."""
    logic, image = slicer.vtkSlicerSegmentationsModuleLogic, slicer.vtkOrientedImageData()
    extent = [bound for part in reversed(field.box) for bound in (part.start, part.stop - 1)]
    image.SetExtent(*extent)
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(mask, np.uint8).ravel(), deep=True))
    image.SetImageToWorldMatrix(ijkToRasMatrix(case.data.geometry))
    node = case.nodes.annotationNode
    logic.SetBinaryLabelmapToSegment(image, node, segment_id(field.value), logic.MODE_REPLACE, extent, False, [])
