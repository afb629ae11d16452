"""The open project and its open case: what all sections of the panel share."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Union

import numpy as np
import slicer
from metassl.files import ChangedError, MetaSSLError
from metassl.imaging import Geometry
from metassl.project import Project
from metassl.project.annotations import ANY_VERSION
from metassl.project.words import sentence

from ...ColorTables import removeColorTables
from ...Signal import Signal
from ...Translation import _
from ..Scene.BackgroundTasks import BackgroundTasks
from ..Scene.Message import Message
from ..Scene.SceneMemory import SceneMemory
from ..Scene.SlicerServices import SlicerServices
from .Agreement import meanDice
from .CaseFiles import CaseData, readCase
from .CaseNodes import removeGhosts
from .CaseWrites import CaseWrites, EmptyLabel
from .NewPrediction import NewPrediction
from .OpenCase import OpenCase

_PATIENCE_S = 20.0

ArraySource = Union[np.ndarray, Callable[[], np.ndarray]]


class Session:
    """Used on the GUI thread only. Call `tick` a few times a second, and pump the tasks while they are busy."""

    def __init__(self, services: SlicerServices, tasks: BackgroundTasks) -> None:
        self.services, self.tasks = services, tasks
        self.project: Project | None = None
        self.case: OpenCase | None = None
        self.loadingCase: str | None = None
        self.isEnding = False
        """True from `shutdown` on: long tasks give up."""
        self.projectChanged = Signal()
        """() another project is open, or none."""
        self.casesChanged = Signal()
        """(ids or None) states, labels or predictions of these cases changed; None: of any."""
        self.roundsChanged = Signal()
        """() a round began, ended or was chosen."""
        self.caseOpened = Signal()
        """(OpenCase) it is in the scene."""
        self.caseAboutToClose = Signal()
        """(OpenCase) it is still in the scene."""
        self.caseClosed = Signal()
        """()"""
        self.caseChanged = Signal()
        """() editing began or ended, the first edit was made, or a label was saved."""
        self.predictionChanged = Signal()
        """(OpenCase) it shows the prediction of another round."""
        self.sceneLoaded = Signal()
        """() a scene was loaded, and the views show again what it left empty of the open case."""
        self.said = Signal()
        """(Message)"""
        self._newPrediction = NewPrediction(self)
        self._memory = SceneMemory(services.scene)
        self._isJustLoaded = False
        self.writes = CaseWrites()
        self._ours: set[str] = set()
        """The versions of the labels that were saved here."""
        self._sceneTags = [
            services.scene.AddObserver(getattr(slicer.vtkMRMLScene, event), callback)
            for event, callback in (
                ("StartCloseEvent", self._onSceneAboutToClose),
                ("EndCloseEvent", self._onSceneClosed),
                ("EndImportEvent", self._onSceneLoaded),
            )
        ]

    # What is open

    def openProject(self, path: Path) -> None:
        """Open the project in the folder `path`; the one that was open is closed. Raises MetaSSLError."""
        project = Project.open(path)
        self.closeCase()
        self.project = project
        self._remember()
        self.projectChanged.emit()

    def closeProject(self) -> None:
        """Close the project and its case; unsaved edits go to the autosave."""
        if self.project is None:
            return
        self.closeCase()
        self.project = None
        self._remember()
        removeColorTables(self.services.scene)
        self.projectChanged.emit()

    def openCase(self, caseId: str) -> None:
        """Begin to read a case; `caseOpened` follows, or a message that says why not."""
        if self.project is None or caseId == self.loadingCase:
            return
        self.closeCase()
        project, waitForWrites = self.project, self.writes.waiter(caseId)
        self.loadingCase = caseId
        self.caseChanged.emit()

        def read() -> CaseData:
            waitForWrites()  # its label and its autosave must be whole before they are read
            return readCase(project, caseId, self._ours)

        self.tasks.run(read, lambda data: self._show(project, data), lambda error: self._notRead(caseId, error))

    def closeCase(self) -> None:
        """Take the open case out of the scene; unsaved edits go to the autosave, and come back with the case."""
        self.loadingCase = None
        if self.case is None:
            return
        case = self.case
        self.caseAboutToClose.emit(case)
        self._spend(case)
        self.writes.close(case)
        self._forgetCase()

    def shutdown(self) -> None:
        """For the end of Slicer, or of the module: everything that is unsaved is written before this returns."""
        self.isEnding = True
        self._closeNow()
        for tag in self._sceneTags:
            self.services.scene.RemoveObserver(tag)
        self._sceneTags = []
        self.tasks.finish(_PATIENCE_S)
        self.writes.finish(self.fail)
        removeColorTables(self.services.scene)
        self.project = None
        self.tasks.shutdown()

    def tick(self) -> None:
        """What is to be done now and then, above all autosave."""
        if self._isJustLoaded:  # not while it is loaded: the data tree is completed after everything else
            self._isJustLoaded = False
            removeGhosts(self.services.scene)
            if self.case is not None:
                self.case.nodes.fillViews()
            self.sceneLoaded.emit()
        self.writes.tick(self.loadingCase)
        if self.case is None:
            return
        self.case.autosave.tick()
        if self.case.autosaveFile.isNewCompany():
            text = _("{case} is being edited in another Slicer, too. The unsaved work of both is kept.")
            self.say("warning", text.format(case=self.case.id))
        if not self.case.isWhole:
            self.closeCase()
            self.say("warning", _("A node of the open case was deleted, so the case was closed. Its edits are kept."))

    # Labels

    def saveLabel(
        self,
        restrict: Callable[[np.ndarray], np.ndarray] = lambda array: array,
        *,
        allowEmpty: bool = False,
        done: Callable[[], None] = lambda: None,
    ) -> None:
        """Make what is being edited the label of the open case, in a task.

        `restrict(array)` may turn voxels into 255, "not annotated". A reviewed case becomes "corrected", or "accepted"
        when nothing was changed; any other "labelled".
        """
        case = self.case
        if case is None or not case.isEditing:
            return
        try:
            case.refuseTransform()
            snapshot, revision = case.takeSnapshot(), case.autosave.revision
        except MetaSSLError as error:
            self.fail(error)
            return
        prediction = case.data.prediction

        def saved() -> None:
            case.data.autosaved = None
            case.labelSaved(revision)
            done()

        def state(array: np.ndarray) -> str:
            if prediction is None:
                return "labelled"
            return "accepted" if np.array_equal(array, prediction.segmentation) else "corrected"

        self.storeLabel(
            case.id,
            lambda: restrict(snapshot.toArray()),
            case.data.geometry,
            state,
            allowEmpty=allowEmpty,
            prediction=None if prediction is None else prediction.segmentation,
            done=saved,
            retryAsEmpty=lambda: self.saveLabel(restrict, allowEmpty=True, done=done),
        )

    def storeLabel(
        self,
        caseId: str,
        array: ArraySource,
        geometry: Geometry,
        state: str | Callable[[np.ndarray], str],
        *,
        allowEmpty: bool = False,
        prediction: np.ndarray | None = None,
        done: Callable[[], None] = lambda: None,
        retryAsEmpty: Callable[[], None] | None = None,
        overOthers: bool = False,
    ) -> None:
        """Make an array (uint8, z y x; or what gives one, called in the task) the label of a case, in a task.

        The time spent on the case and the Dice with `prediction` are recorded with it. A label without any structure
        is refused with a message that offers `retryAsEmpty`. If somebody else has labelled the case since it was
        opened, the user is asked first, unless `overOthers`; that label stays in the history.
        """
        project, case, seconds, hashes, data = self.project, None, 0.0, [], None
        waitForWrites = self.writes.waiter(caseId)
        if self.case is not None and self.case.id == caseId:
            case = self.case
            case.clock.tick()
            seconds, data = case.clock.take(), case.data
            hashes = data.imageHashes

        def store() -> np.ndarray:
            labels = array() if callable(array) else array
            empty = not ((labels != 0) & (labels != 255)).any()
            if empty and not allowEmpty:
                raise EmptyLabel
            chosen = state(labels) if callable(state) else state
            waitForWrites()  # a label that was saved just before is ours
            former = ANY_VERSION if data is None or overOthers else data.begunOn
            version = project.add_label(
                caseId, (labels, geometry), state=chosen, allow_empty=allowEmpty, drawn_on=hashes, former=former
            )
            self._ours.add(version)
            changes = {} if prediction is None else {"dice": meanDice(prediction, labels)}
            project.update_case(caseId, more_seconds=seconds, **changes)
            if data is not None:
                data.labelVersion = data.begunOn = version
            return labels

        def stored(labels: np.ndarray) -> None:
            if data is not None:
                data.label = labels
            done()
            if project is self.project:
                self.casesChanged.emit([caseId])

        def failed(error: Exception) -> None:
            if isinstance(error, EmptyLabel):
                text = _("Case {case} has no structure in it.").format(case=caseId)
                self.ask(case, text, _("Save it as empty"), retryAsEmpty)
            elif isinstance(error, ChangedError):
                self.say("warning", sentence(error), _("Make mine the label; theirs is kept"), overTheirs)
            else:
                self.fail(error)

        def overTheirs() -> None:
            if project is self.project:
                options = {"allowEmpty": allowEmpty, "prediction": prediction, "done": done}
                self.storeLabel(caseId, array, geometry, state, overOthers=True, **options)

        self.writes.add(caseId, self.tasks.run(store, stored, failed))

    def discardEdits(self) -> None:
        """Throw the unsaved edits of the open case away; it waits for a label, or for a review, as before."""
        case = self.case
        if case is None:
            return
        case.discardEdits()
        removed = case.autosave.pending

        def leave() -> None:
            if removed is not None:
                removed.exception()
            case.project.leave_progress(case.id, case.hasPrediction)

        self.tasks.run(leave, lambda _: self.casesChanged.emit([case.id]), self.fail)

    # Messages

    def say(self, level: str, text: str, actionText: str = "", action: Callable[[], None] | None = None) -> None:
        """Tell the user something: `level` is "info", "warning" or "error"."""
        self.said.emit(Message(level, text, actionText, action))

    def ask(
        self, case: OpenCase | None, text: str, actionText: str, action: Callable[[], None], level: str = "warning"
    ) -> None:
        """Say something, and offer to do something with a case as long as it is the open one."""

        def act() -> None:
            if self.case is case:
                action()

        if case is not None and self.case is case:
            self.said.emit(Message(level, text, actionText, act, isOfCase=True))
        else:
            self.say(level, text)

    def fail(self, error: Exception) -> None:
        """Tell the user of an error: ours in its own words, any other one with its name, and in Slicer's log."""
        if isinstance(error, MetaSSLError):
            self.say("error", sentence(error))
            return
        logging.error("MetaSSL", exc_info=error)
        text = _("Something unexpected happened: {error}. The details are in Slicer's log.")
        self.say("error", text.format(error=f"{type(error).__name__}: {error}"))

    # Inside

    def _show(self, project: Project, data: CaseData) -> None:
        if project is not self.project or data.caseId != self.loadingCase:
            return  # the user has gone on
        self.loadingCase = None
        unwritten = self.writes.takeUnwritten(project, data)
        self.case = OpenCase(self.services, self.tasks, project, data, self.fail)
        if unwritten:
            self.case.autosave.touch()
        self.case.changed.connect(self.caseChanged.emit)
        self._remember()
        for warning in data.warnings:
            self.say("warning", sentence(warning))
        self.caseOpened.emit(self.case)
        self.caseChanged.emit()

    def _notRead(self, caseId: str, error: Exception) -> None:
        if caseId == self.loadingCase:
            self.loadingCase = None
            self.fail(error)
            self.caseChanged.emit()

    def _closeNow(self) -> None:
        self.loadingCase = None
        if self.case is not None:
            case = self.case
            self.caseAboutToClose.emit(case)
            try:
                self.writes.close(case, wait=True)
            except Exception as error:
                self.fail(error)
            self._forgetCase()

    def _forgetCase(self) -> None:
        self.case = None
        self._remember()
        self.caseClosed.emit()
        self.caseChanged.emit()

    def _spend(self, case: OpenCase) -> None:
        """Record the time that was spent on a case without saving it."""
        seconds = case.clock.take()
        if seconds < 1.0 or not case.isModified:
            return
        project, caseId = case.project, case.id

        def spend() -> None:
            project.update_case(caseId, more_seconds=seconds)

        self.tasks.run(spend, lambda _: self.casesChanged.emit([caseId]), self.fail)

    def _remember(self) -> None:
        if self.isEnding:  # a module that is reloaded shows the same case again
            return
        path = None if self.project is None else self.project.path
        self._memory.remember(path, None if self.case is None else self.case.id)

    def _onSceneAboutToClose(self, *_: object) -> None:
        self._closeNow()

    def _onSceneClosed(self, *_: object) -> None:
        self._remember()

    def _onSceneLoaded(self, *_: object) -> None:
        self.resume()

    def resume(self) -> None:
        """Open the project that the scene names, and the case that was open, if it names any."""
        self._isJustLoaded = True
        path, caseId = self._memory.recall()
        if path is not None and (self.project is None or self.project.path != path):
            try:
                self.openProject(path)
            except MetaSSLError as error:
                self.fail(error)
                if self.project is not None:
                    self._remember()
                return
        if path is not None and caseId is not None and (self.case is None or self.case.id != caseId):
            self.openCase(caseId)
        else:
            self._remember()  # the scene may have named none, but one is open
