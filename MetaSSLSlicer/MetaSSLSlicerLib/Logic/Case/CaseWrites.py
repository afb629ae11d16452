"""What is written of each case, above all its label: nothing of a case is read before it is whole."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future

import numpy as np
from metassl.files import ChangedError, MetaSSLError
from metassl.project import LabelDefinition, Project
from metassl.project.annotations import ANY_VERSION
from metassl.project.words import plural, sentence

from ...Translation import _
from .Agreement import meanDice
from .CaseFiles import CaseData
from .OpenCase import OpenCase
from .ShownSlices import lookedAt


class EmptyLabel(Exception):
    """A label without any structure, which the user has not asked for."""


class CaseWrites:
    """Used on the GUI thread. `ours`: the versions of the labels that were saved here."""

    def __init__(self, session) -> None:
        self.ours: set[str] = set()
        self._session = session
        self._futures: dict[str, list[Future]] = {}
        self._closed: list[OpenCase] = []

    # Labels

    def saveLabel(
        self,
        restrict: Callable[[np.ndarray], np.ndarray] = lambda array: array,
        *,
        allowEmpty: bool = False,
        kept: Callable[[], None] = lambda: None,
        done: Callable[[], None] = lambda: None,
    ) -> None:
        """Make what is being edited the label of the open case, in a task.

        `restrict(array)` may turn voxels into 255, "not annotated". A reviewed case becomes "corrected", or "accepted"
        when nothing was changed; any other "labelled". `kept`: see `storeLabel`.
        """
        case = self._session.case
        if case is None or not case.isEditing:
            return
        try:
            case.refuseTransform()
            snapshot, revision = case.takeSnapshot(), case.autosave.revision
        except MetaSSLError as error:
            self._session.fail(error)
            return
        prediction = None if case.data.prediction is None else case.data.prediction.segmentation

        def saved() -> None:
            case.data.autosaved = None
            case.labelSaved(revision)
            done()

        def state(array: np.ndarray) -> str:
            if prediction is None:
                return "labelled"
            return "accepted" if np.array_equal(array, prediction) else "corrected"

        self.storeLabel(
            case,
            lambda: restrict(snapshot.toArray()),
            state,
            allowEmpty=allowEmpty,
            prediction=prediction,
            isDrawn=case.isFromScratch,
            kept=kept,
            done=saved,
            retryAsEmpty=lambda: self.saveLabel(restrict, allowEmpty=True, kept=kept, done=done),
        )

    def storeLabel(
        self,
        case: OpenCase,
        makeArray: Callable[[], np.ndarray],
        state: Callable[[np.ndarray], str],
        *,
        allowEmpty: bool = False,
        prediction: np.ndarray | None = None,
        looked: Callable[[], Iterable[int]] = lambda: (),
        isDrawn: bool = False,
        kept: Callable[[], None] = lambda: None,
        done: Callable[[], None] = lambda: None,
        retryAsEmpty: Callable[[], None] | None = None,
        overOthers: bool = False,
    ) -> None:
        """Make an array (uint8, z y x) the label of a case; `makeArray` and `state` of it are called in a task.

        The time spent on the case and the Dice with `prediction` are recorded with it, and which of its slices were
        looked at, unless all of it `isDrawn`: those that were shown, and those of `looked`. A label without any
        structure is refused with a message that offers `retryAsEmpty`. If somebody else has labelled the case since it
        was opened, the user is asked first, unless `overOthers`; that label stays in the history. `kept()` is called as
        soon as nothing is missing but the writing: the case may be closed then.
        """
        session, project, data = self._session, case.project, case.data
        unknown = case.unknownStructures
        told = [value for value in project.values[1:] if value not in [label.value for label in unknown]]
        waitForWrites = self.waiter(case.id)
        if session.case is case:
            case.clock.tick()
        seconds, shown = case.clock.take(), case.shown.seen()
        made: Future = Future()

        def make() -> tuple[np.ndarray, str]:
            try:
                array = makeArray()
                if not allowEmpty and not ((array != 0) & (array != 255)).any():
                    raise EmptyLabel
                return array, state(array)
            except Exception:
                made.set_result(False)
                raise

        def store() -> np.ndarray:
            array, chosen = make()
            made.set_result(True)
            waitForWrites()  # a label that was saved just before is ours
            seen = None
            if prediction is not None and not isDrawn:
                seen = lookedAt(project, project.case(case.id), array, prediction, data.geometry, shown, looked())
            version = project.add_label(
                case.id,
                (array, data.geometry),
                state=chosen,
                allow_empty=allowEmpty,
                drawn_on=data.imageHashes,
                former=ANY_VERSION if overOthers else data.begunOn,
                coverage=told,
                looked=seen,
            )
            self.ours.add(version)
            changes = {} if prediction is None else {"dice": meanDice(prediction, array)}
            project.update_case(case.id, more_seconds=seconds, **changes)
            data.labelVersion, data.begunOn, data.looked = version, version, seen
            return array

        def stored(array: np.ndarray) -> None:
            data.label, data.coverage = array, sorted({*told, *np.unique(array).tolist()} - {0, 255})
            done()
            self._tellOfLooks(case)
            self._tellOfSilence(case, [label for label in unknown if label.value not in data.coverage])
            if project is session.project:
                session.casesChanged.emit([case.id])

        def failed(error: Exception) -> None:
            if isinstance(error, EmptyLabel):
                text = _("Case {case} has no structure in it.").format(case=case.id)
                session.ask(case, text, _("Save it as empty"), retryAsEmpty)
            elif isinstance(error, ChangedError):
                session.say("warning", sentence(error), _("Make mine the label; theirs is kept"), overTheirs)
            else:
                session.failOf(case, error)
            if project is session.project and session.case is not case:
                session.casesChanged.emit([case.id])  # it was left as if this had gone well

        def overTheirs() -> None:
            if project is session.project:
                again = session.case is not None and session.case.id == case.id  # it may have been opened again
                options = {"allowEmpty": allowEmpty, "prediction": prediction, "done": done, "overOthers": True}
                options.update(looked=looked, isDrawn=isDrawn)
                self.storeLabel(session.case if again else case, makeArray, state, **options)

        session.tasks.watch(made, lambda good: kept() if good else None)  # first: it is handed over before the end
        self.add(case.id, session.tasks.run(store, stored, failed))

    def _tellOfLooks(self, case: OpenCase) -> None:
        """Say that a label is whole though not all of it was looked at, and offer to say that it was."""
        looked, version = case.data.looked, case.data.labelVersion
        if looked is None:
            return
        text = _("{case} is labelled as a whole; {slices} of it looked at. The others do not count as right.")
        slices = plural(len(looked), _("1 slice"), _("{count} slices"))

        def sayAll() -> None:
            def say() -> None:
                case.project.update_case(case.id, former=version, looked=None)

            self._session.tasks.run(say, lambda _: self._session.casesChanged.emit([case.id]), self._session.fail)

        self._session.say("info", text.format(case=case.id, slices=slices), _("All of it was looked at"), sayAll)

    def _tellOfSilence(self, case: OpenCase, silent: list[LabelDefinition]) -> None:
        """Say about which structures a saved label says nothing, and offer to say that the case shows none of them."""
        if not silent:
            return
        names = ", ".join(label.name for label in silent)
        text = _("The label of {case} says nothing about {names}, which what it was made of did not know.")
        action = _("{case} shows none of it") if len(silent) == 1 else _("{case} shows none of them")
        version, values = case.data.labelVersion, [label.value for label in silent]
        self._session.say(
            "warning",
            text.format(case=case.id, names=names),
            action.format(case=case.id),
            lambda: self._speakAbout(case, version, values),
        )

    def _speakAbout(self, case: OpenCase, version: str, values: list[int]) -> None:
        def speak() -> list[int]:
            told = case.project.case(case.id).coverage
            told = None if told is None else sorted({*told, *values})
            case.project.update_case(case.id, former=version, coverage=told)
            return told

        def done(told: list[int]) -> None:
            if case.data.labelVersion == version:
                case.data.coverage = told
            case.changed.emit()
            if case.project is self._session.project:
                self._session.casesChanged.emit([case.id])

        self._session.tasks.run(speak, done, self._session.fail)

    def discardEdits(self) -> None:
        """Throw the unsaved edits of the open case away; it waits for a label, or for a review, as before."""
        session, case = self._session, self._session.case
        if case is None:
            return
        case.discardEdits()
        removed = case.autosave.pending

        def leave() -> None:
            if removed is not None:
                removed.exception()
            case.project.leave_progress(case.id, case.hasPrediction)

        session.tasks.run(leave, lambda _: session.casesChanged.emit([case.id]), session.fail)

    # What is under way

    def add(self, caseId: str, future: Future | None) -> None:
        """A label or an autosave of the case is being written; None: nothing is."""
        if future is None:
            return
        futures = {**self._futures, caseId: [*self._futures.get(caseId, []), future]}
        self._futures = {key: [each for each in others if not each.done()] for key, others in futures.items()}

    def isWriting(self, caseId: str) -> bool:
        """Whether something of the case is being written now."""
        return any(not each.done() for each in self._futures.get(caseId, []))

    def waiter(self, caseId: str) -> Callable[[], None]:
        """What waits, in a task, until all that is being written of the case now is written, or has failed."""
        futures = list(self._futures.get(caseId, []))

        def wait() -> None:
            for future in futures:
                future.exception()

        return wait

    def close(self, case: OpenCase, wait: bool = False) -> None:
        """Close a case. Edits that cannot be written now are kept, and tried again in `tick`; see `OpenCase.close`."""
        self._closed.append(case)
        self.add(case.id, case.close(wait))

    def tick(self) -> None:
        """Try again to write what could not be written, unless the case is being opened again."""
        for case in self._closed:
            if case.id != self._session.loadingCase:
                case.autosave.tick()
                self.add(case.id, case.autosave.pending)
        self._closed = [case for case in self._closed if case.autosave.isDirty or case.autosave.pending is not None]

    def takeUnwritten(self, project: Project, data: CaseData) -> bool:
        """Whether the case was closed with edits that could not be written since; they are `data.autosaved` then."""
        left = [case for case in self._closed if case.id == data.caseId and case.project.path == project.path]
        self._closed = [case for case in self._closed if case not in left]
        unwritten = [case for case in left if case.autosave.isDirty]
        for case in unwritten:
            data.autosaved, data.unknownStructures = case.autosave.snapshot().withUnknownStructures(project.labels)
            data.autosaveTime, data.begunOn = time.time(), case.data.begunOn
        return bool(unwritten)

    def finish(self) -> None:
        """The last try to write what closed cases hold, in their project or else outside it, before this returns."""
        for case in self._closed:
            try:
                case.autosave.finishNow()
            except Exception as error:
                self._session.fail(error)
                self._rescue(case)

    def _rescue(self, case: OpenCase) -> None:
        try:
            path = case.rescue()
        except Exception as error:
            self._session.fail(error)
        else:
            text = _("The unsaved work on case {case} is kept in {path}: it comes back when the case is opened.")
            logging.warning(text.format(case=case.id, path=path))
