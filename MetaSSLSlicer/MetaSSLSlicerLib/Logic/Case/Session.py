"""The open project and its open case: what all sections of the panel share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import slicer
from metassl.files import MetaSSLError
from metassl.project import LabelDefinition, Project
from metassl.project.words import sentence

from ...ColorTables import removeColorTables
from ...Signal import Observers, Signal
from ...Translation import _
from ..Scene.BackgroundTasks import BackgroundTasks
from ..Scene.HeldViews import HeldViews
from ..Scene.OurNodes import removeAll, removedLater, removeNext
from ..Scene.SlicerServices import SlicerServices
from .CaseAhead import CaseAhead
from .CaseFiles import CaseData, Prediction, readCase, readPrediction
from .CaseNodes import removeGhosts
from .CaseWrites import CaseWrites
from .OpenCase import OpenCase
from .OutsideLabels import OutsideLabels

_PATIENCE_S = 20.0
_MOMENT_S = 0.03  # to look whether what was read ahead is still so
_MODULE, _PROJECT, _CASE = "MetaSSLSlicer", "projectPath", "case"


@dataclass(frozen=True)
class Message:
    """`level`: "info", "warning" or "error". `action`, with its button's text: what the user may do about it.

    `isOfCase`: the action is about the case that is open now, and goes when that is closed.
    """

    level: str
    text: str
    actionText: str = ""
    action: Callable[[], None] | None = None
    isOfCase: bool = False


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
        self.structuresChanged = Signal()
        """(those of before) structures were added to the project, or renamed."""
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
        self.roundsChanged.connect(self._lookForPrediction)
        self.casesChanged.connect(self._lookForPrediction)
        self.structuresChanged.connect(self._takeStructures)
        self._toldOfPrediction: tuple[OpenCase, int] | None = None
        self._memory = SceneMemory(services.scene)
        self._isJustLoaded = False
        self._views = HeldViews(services)
        self.writes = CaseWrites(self)
        self.ahead = CaseAhead(self)
        self._outside = OutsideLabels(self)
        self._observers = Observers()
        self._observers.add(services.scene, slicer.vtkMRMLScene.StartCloseEvent, self._closeNow)
        self._observers.add(services.scene, slicer.vtkMRMLScene.EndCloseEvent, self._remember)
        self._observers.add(services.scene, slicer.vtkMRMLScene.EndImportEvent, self.resume)

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
        ahead = self.ahead.take(caseId)  # now: another one is wanted ahead as soon as this one is being opened
        removeAll()
        self._views.hold()
        if self.case is None or self.case.id == caseId:  # its nodes are to have the same names again
            self._close(wait=False)
        else:
            with removedLater():
                self._close(wait=False)
        project, waitForWrites = self.project, self.writes.waiter(caseId)
        self.loadingCase = caseId
        self._views.hold()  # from now on, however long the closing took

        def read() -> CaseData:
            waitForWrites()  # its label and its autosave must be whole before they are read
            return (ahead and ahead.current()) or readCase(project, caseId, self.writes.ours)

        show, fail = partial(self._show, project), partial(self._notRead, caseId)
        reading = self.tasks.run(read, show, fail)
        if ahead is not None:
            self.tasks.handOverSoon(reading, _MOMENT_S)
        if self.loadingCase == caseId:
            self.caseChanged.emit()

    def closeCase(self) -> None:
        """Take the open case out of the scene; unsaved edits go to the autosave, and come back with the case."""
        removeAll()
        self._close(wait=False)
        self._views.release()
        self.caseChanged.emit()

    def shutdown(self) -> None:
        """For the end of Slicer, or of the module: everything that is unsaved is written before this returns."""
        self.isEnding = True
        self._closeNow()
        self._observers.remove()
        self.tasks.finish(_PATIENCE_S)
        self.writes.finish()
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
        self._views.tick()
        self.writes.tick()
        self.ahead.tick()
        if self.case is None:
            return
        self.case.autosave.tick()
        self._outside.tick()
        if self.case.autosaveFile.isNewCompany():
            text = _("{case} is being edited in another Slicer, too. The unsaved work of both is kept.")
            self.say("warning", text.format(case=self.case.id))
        if not self.case.isWhole:
            self.closeCase()
            self.say("warning", _("A node of the open case was deleted, so the case was closed. Its edits are kept."))

    def _takeStructures(self, former: Sequence[LabelDefinition]) -> None:
        if self.case is not None:
            self.case.takeStructures(former)

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

    def fail(self, error: Exception, actionText: str = "", action: Callable[[], None] | None = None) -> None:
        """Tell the user of an error: ours in its own words, any other one with its name, and in Slicer's log."""
        if isinstance(error, MetaSSLError):
            self.say("error", sentence(error), actionText, action)
            return
        logging.error("MetaSSL", exc_info=error)
        text = _("Something unexpected happened: {error}. The details are in Slicer's log.")
        self.say("error", text.format(error=f"{type(error).__name__}: {error}"), actionText, action)

    def failOf(self, case: OpenCase, error: Exception) -> None:
        """Tell of an error with what was to be written of a case; one that is closed by now can be opened again."""
        if self.case is case or self.project is not case.project:
            self.fail(error)
        else:
            self.fail(error, _("Open {case} again").format(case=case.id), partial(self.openCase, case.id))

    # Inside

    def _show(self, project: Project, data: CaseData) -> None:
        if project is not self.project or data.caseId != self.loadingCase:
            return  # the user has gone on
        self.loadingCase = None
        self._views.hold()
        with self.tasks.heldBack():
            try:
                self._showCase(project, data)
            finally:
                self._views.release()
        self.tasks.run(lambda: None, self._removeNext)

    def _showCase(self, project: Project, data: CaseData) -> None:
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
            removeAll()
            self._views.release()
            self.fail(error)
            self.caseChanged.emit()

    def _removeNext(self, *_: object) -> None:
        """What is left of the case before goes node by node, so that the windows do not stand still, and is drawn once
        for all of them."""
        if self.loadingCase is not None:  # nothing is left, and the views wait for another case
            return
        self._views.hold()
        if removeNext():
            self.tasks.run(lambda: None, self._removeNext)
        else:
            self._views.release()

    def _closeNow(self, *_: object) -> None:
        removeAll()
        self._close(wait=True)
        self._views.release()
        self.caseChanged.emit()

    def _close(self, wait: bool) -> None:
        case, self.loadingCase = self.case, None
        if case is None:
            return
        self.caseAboutToClose.emit(case)
        if not wait:
            self._spend(case)
        try:
            self.writes.close(case, wait)
        except Exception as error:
            self.fail(error)
        self.case = None
        self._remember()
        self.caseClosed.emit()

    def _spend(self, case: OpenCase) -> None:
        seconds = case.clock.take()
        if seconds < 1.0 or not case.isModified:
            return
        spend = partial(case.project.update_case, case.id, more_seconds=seconds)
        self.tasks.run(spend, lambda _: self.casesChanged.emit([case.id]), self.fail)

    def _remember(self, *_: object) -> None:
        if self.isEnding:  # a module that is reloaded shows the same case again
            return
        path = None if self.project is None else self.project.path
        self._memory.remember(path, None if self.case is None else self.case.id)

    def resume(self, *_: object) -> None:
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

    # Another prediction of the open case: the user is told once, and may look at it without losing a stroke

    def _lookForPrediction(self, caseIds: Collection[str] | None = None) -> None:
        case = self.case
        if case is not None and (caseIds is None or case.id in caseIds):
            find = partial(case.project.prediction, case.id)
            self.tasks.run(find, lambda found: self._tellOfPrediction(case, found), self.fail)

    def _tellOfPrediction(self, case: OpenCase, found) -> None:
        if found is None or case is not self.case:
            return
        number = found[0].number
        if number == case.data.predictedBy or self._toldOfPrediction == (case, number):
            return
        self._toldOfPrediction = case, number
        text = _("Round {number} has predicted {case}.")
        if case.hasPrediction:
            text = _("Round {number} has predicted {case}, too.")
        if case.isModified:
            text += " " + _("What you have drawn stays as it is.")
        action = _("Show the prediction of round {number}").format(number=number)
        self.ask(case, text.format(number=number, case=case.id), action, partial(self._exchange, case), "info")

    def _exchange(self, case: OpenCase) -> None:
        def exchange(prediction: Prediction | None) -> None:
            if prediction is not None and case is self.case:
                case.exchangePrediction(prediction)
                self.predictionChanged.emit(case)

        self.tasks.run(partial(readPrediction, case.project, case.data), exchange, self.fail)


class SceneMemory:
    """What a saved scene remembers of us: the project's folder and the open case, in one parameter node."""

    def __init__(self, scene) -> None:
        self._scene = scene

    def remember(self, project: Path | None, caseId: str | None) -> None:
        """Write what is open now; with nothing to remember there is no node."""
        node = self._node()
        if project is None:
            if node is not None:
                self._scene.RemoveNode(node)
            return
        node = node or self._makeNode()
        node.SetParameter(_PROJECT, str(project))
        node.SetParameter(_CASE, caseId or "")

    def recall(self) -> tuple[Path | None, str | None]:
        """The project's folder and the case that the scene names, or None."""
        node = self._node()
        if node is None:
            return None, None
        project, case = node.GetParameter(_PROJECT), node.GetParameter(_CASE)
        return Path(project) if project else None, case or None

    def _node(self):
        return self._scene.GetSingletonNode(_MODULE, "vtkMRMLScriptedModuleNode")

    def _makeNode(self):
        node = self._scene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
        node.UnRegister(None)
        node.SetSingletonTag(_MODULE)
        node.SetModuleName(_MODULE)
        node.SetName(_MODULE)
        return self._scene.AddNode(node)
