"""Reviewing a case by the slices that are worth it, and making a partial annotation of those that were looked at."""

from __future__ import annotations

from functools import partial

import numpy as np
from metassl.files import MetaSSLError
from metassl.imaging import IGNORE
from metassl.project import Case
from metassl.project.annotations import put_back
from metassl.project.effort.slices import as_known, changed_slices, with_slices
from metassl.project.words import plural

from ...Signal import Signal
from ...Translation import _
from ..Autosave.AutosaveFile import autosaveMarks
from ..Case.CaseWrites import CaseWrites
from ..Case.OpenCase import OpenCase
from ..Case.Session import Session
from ..Scene.SlicerServices import nodesOfClass
from .SlicePlan import SlicePlan, planSlices


class SliceReview:
    """Follows the open case. `plan`: None while it is made, and where nothing is known of the slices; `visited`: the
    slices that were shown, in their order, `current` the last of them. Slices are counted from 0.
    """

    def __init__(self, session: Session) -> None:
        self.changed = Signal()
        """() there is a plan, or another slice is shown."""
        self.decided = Signal()
        """(case id) slices of it are done, and nothing is missing but the writing: the panel may go on."""
        self.plan: SlicePlan | None = None
        self.visited: list[int] = []
        self.isPlanning = False
        self._session, self._case = session, None

    @property
    def current(self) -> int | None:
        return self.visited[-1] if self.visited else None

    @property
    def left(self) -> list[int]:
        """The slices that are worth it and were not shown yet, the most costly first."""
        return [] if self.plan is None else [each for each in self.plan.waiting if each not in self.visited]

    @property
    def secondsLeft(self) -> float:
        """That these take."""
        return 0.0 if self.plan is None else sum(self.plan.seconds[each] for each in self.left)

    def setCase(self, case: OpenCase | None) -> None:
        """Look for the slices of a case; None: none is open."""
        self._case, self.plan, self.visited = case, None, []
        self.isPlanning = case is not None and case.hasPrediction
        self.changed.emit()
        if not self.isPlanning:
            return
        prediction = case.data.prediction

        def made(plan: SlicePlan | None) -> None:
            if case is self._case and case.data.prediction is prediction:
                self.plan, self.isPlanning = plan, False
                self.changed.emit()

        def failed(error: Exception) -> None:
            made(None)
            self._session.fail(error)

        self._session.tasks.run(partial(planSlices, case.project, case.data), made, failed)

    def next(self) -> None:
        """Show the next slice that is worth it; after the last one the first again."""
        plan, case = self.plan, self._case
        if plan is None or case is None:
            if case is not None and case.hasPrediction and not self.isPlanning:
                text = _("What is wrong in which slice of {case} is not known: an older version predicted it.")
                self._session.say("info", text.format(case=case.id))
            return
        if not plan.waiting:
            text = _("No other slice of {case} is likely to hold anything worth correcting.")
            self._session.say("info", text.format(case=case.id))
            return
        self._offerRest(case, plan)
        number = self.left[0] if self.left else self.visited[0]
        self.visited = [*(each for each in self.visited if each != number), number]
        self._show(plan, number)
        self.changed.emit()

    def take(self) -> None:
        """Make the slices that were shown, and those that were changed, known in the label of the case."""
        case, plan, session = self._case, self.plan, self._session
        if case is None or plan is None:
            return
        seen = list(self.visited)
        if not seen and (shown := self._shown(plan)) is not None:
            seen = [shown]
        try:
            if case.isEditing:
                case.refuseTransform()
            taking = _Taking(case, plan, seen, session.writes)
        except MetaSSLError as error:
            session.fail(error)
            return
        session.writes.storeLabel(
            case,
            taking.makeArray,
            taking.state,
            allowEmpty=True,  # background in a slice that was looked at is known, too
            prediction=case.data.prediction.segmentation,
            looked=lambda: taking.slices,
            kept=partial(self.decided.emit, case.id),
            done=partial(self._taken, case, plan, taking),
        )

    def _taken(self, case: OpenCase, plan: SlicePlan, taking: _Taking) -> None:
        session, version = self._session, case.data.labelVersion
        if taking.revision is not None and taking.isAll:
            case.data.autosaved = None
            case.labelSaved(taking.revision)
        slices = plural(len(taking.slices), _("1 slice"), _("{count} slices"))
        text = _("The label of {case} holds {slices} more, {changed} of them corrected.")
        text = text.format(case=case.id, slices=slices, changed=len(taking.corrected))
        session.say("info", text, _("Take that back"), partial(self._takeBack, case, taking.before, version))
        if case is self._case and self.plan is plan:
            self.plan, self.visited = plan.without(taking.slices), []
            self.changed.emit()

    def _takeBack(self, case: OpenCase, before: Case, version: str) -> None:
        session, project = self._session, case.project

        def back() -> None:
            project.change_cases([case.id], lambda found: put_back(project.path, found, before, version))
            if not autosaveMarks(project, case.id):  # the strokes that it was in progress with are in that label
                project.leave_progress(case.id, case.hasPrediction)

        def done(_result: object) -> None:
            if project is session.project:
                session.casesChanged.emit([case.id])
                text = _("The label of {case} is as it was before.")
                session.say("info", text.format(case=case.id))
                if session.case is not None and session.case.id == case.id and not session.case.isModified:
                    session.openCase(case.id)

        session.tasks.run(back, done, session.fail)

    def _offerRest(self, case: OpenCase, plan: SlicePlan) -> None:
        """A partial label that is newer than the prediction is open: let the rest be the prediction's."""
        if plan.rest is not None and case.isEditing and case.showsLabel and not case.isModified:
            case.startEditing(plan.rest)
            self.plan = plan.without([])

    # Views

    def _show(self, plan: SlicePlan, number: int) -> None:
        ras = plan.centre(number)
        for view in nodesOfClass(self._session.services.scene, "vtkMRMLSliceNode"):
            modified = view.StartModify()
            if plan.stack.isAlong(view) and number in plan.sides:
                width, height, depth = view.GetFieldOfView()
                scale = plan.sides[number] / min(width, height)
                view.SetFieldOfView(width * scale, height * scale, depth)
            view.JumpSliceByCentering(*ras)
            view.EndModify(modified)

    def _shown(self, plan: SlicePlan) -> int | None:
        """The slice that a view across them shows."""
        for view in nodesOfClass(self._session.services.scene, "vtkMRMLSliceNode"):
            number = plan.stack.shownBy(view)
            if number is not None:
                return number
        return None


class _Taking:
    """What is taken of a case: read from the scene when it is made, put together in a task."""

    def __init__(self, case: OpenCase, plan: SlicePlan, seen: list[int], writes: CaseWrites) -> None:
        self.slices: list[int] = []
        self.corrected: list[int] = []
        self.isAll = True
        """No edit is left out: there is nothing that is not saved."""
        self.before: Case | None = None
        self.revision = case.autosave.revision if case.isEditing else None
        self._snapshot = case.takeSnapshot() if case.isEditing else None
        self._fromNothing = case.isEditing and case.isFromScratch
        self._isRestored = case.isRestored
        self._case, self._plan, self._seen = case, plan, seen
        self._wait, self._ours = writes.waiter(case.id), writes.ours

    def makeArray(self) -> np.ndarray:
        """The new label."""
        plan, case = self._plan, self._case
        self._wait()  # a label that was saved just before is there, too
        self.before = before = case.project.case(case.id)
        former = case.project.read_label(case.id, before.label_version)[0] if before.is_reviewed else None
        prediction = case.data.prediction.segmentation
        known = as_known(former, prediction)
        array = known if self._snapshot is None else self._snapshot.toArray()
        begun = np.zeros_like(known) if self._fromNothing else known
        if before.label_version not in (case.data.begunOn, *self._ours):  # nobody here has seen that label
            begun = np.where(array == prediction, prediction, begun)
        differ = changed_slices(np.where(array == IGNORE, begun, array), begun, plan.axis)
        # what was erased in a slice that nobody was led to may be work of another day that was begun with nothing
        changed = [each for each in differ if not self._isRestored or np.take(array, each, plan.axis).any()]
        self.slices = sorted({*self._seen, *changed})
        self.corrected = [each for each in self.slices if each in differ]
        self.isAll = set(differ) <= set(self.slices)
        return with_slices(array, former, plan.axis, self.slices)

    def state(self, _array: np.ndarray) -> str:
        return "corrected" if self.corrected else "accepted"
