"""The section "Train": one button, what it trains on, and how it gets on."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import qt
import slicer.util
from metassl.choices.frameworks import LOSS_CATALOG
from metassl.choices.quality import DEFAULT_QUALITY
from metassl.files import MetaSSLError
from metassl.jobs import JobStatus
from metassl.project.words import sentence

from ..Durations import duration
from ..Logic.Project.ProjectReader import ProjectReader
from ..Logic.Training.PredictionOnDemand import PredictionOnDemand
from ..Logic.Training.TrainingAdvice import TrainingAdvice, unseenText
from ..Logic.Training.TrainingJob import TrainingJob
from ..Logic.Training.TrainingOptions import (
    DEVICES,
    NEXT,
    TrainingOptions,
    frameworkTexts,
    lossTexts,
    piecesTexts,
    planTexts,
    qualityTexts,
)
from ..Logic.Training.TrainingWords import detailText, noticeText, stageText
from ..Translation import _
from .EngineWidget import EngineWidget
from .Machines.MachineChoice import MachineChoice
from .Parts.CurvePicture import CurvePicture
from .Section import Section, loadUi, onClick
from .userSettings import userSettings

QUALITY_KEY = "MetaSSL/trainQuality"
_TICK_MS = 500
_LOG_BYTES = 16 << 10


class TrainWidget(Section):
    """Drives the job with its timer, whether or not the module is shown: predictions come in all the time."""

    def __init__(self, session, job: TrainingJob, engine: EngineWidget) -> None:
        super().__init__(session)
        self.widget, self.ui = loadUi("TrainWidget")
        self.job, self._engine = job, engine
        self.onDemand = PredictionOnDemand(session, job, job.python)
        self._unseen = ProjectReader(session, lambda project: partial(unseenText, project), self._showUnseen)
        self._curve = CurvePicture(self.ui.curveLabel)
        self._shownLog, self._followed = "", (None, "")
        self._machines = self.addPart(MachineChoice(session, self.ui, slicer.util.confirmOkCancelDisplay))
        self._fillCombos()
        ui = self.ui
        onClick(
            (ui.trainButton, lambda: self.stop() if self.job.isRunning else self.train()),
            (ui.newRoundButton, lambda: self.train(replace(self.options, newRound=True))),
            (ui.openLogButton, self._onOpenLog),
        )
        ui.presetComboBox.connect("currentIndexChanged(int)", self._onPreset)
        ui.minutesSpinBox.connect("valueChanged(double)", self._refreshDevice)
        ui.deviceComboBox.connect("currentIndexChanged(int)", self._refreshDevice)
        self.listen(
            (job.statusChanged, self._refresh),
            (engine.setup.changed, self._refreshDevice),
            (self._machines.changed, self._refreshDevice),
            (session.projectChanged, self._onProjectChanged),
            (session.caseOpened, self.onDemand.want),
            (session.casesChanged, self._onCasesChanged),
        )
        self.makeTimer(_TICK_MS, self._onTick).start()
        job.attach()
        self._onProjectChanged()

    def cleanup(self) -> None:
        """Stop looking; the training itself goes on."""
        super().cleanup()
        self.onDemand.close()
        self.job.cleanup()

    @property
    def options(self) -> TrainingOptions:
        ui = self.ui
        return TrainingOptions(
            quality=_chosen(ui.presetComboBox),
            ownMinutes=float(ui.minutesSpinBox.value),
            predict=_chosen(ui.predictComboBox),
            framework=_chosen(ui.frameworkComboBox),
            loss=_chosen(ui.lossComboBox),
            plan=_chosen(ui.planComboBox),
            pieces=_chosen(ui.piecesComboBox),
            device=_chosen(ui.deviceComboBox),
            machine=self._machines.machine,
        )

    # What the user does

    def train(self, options: TrainingOptions | None = None) -> None:
        """Start, or go on; when something is missing on this computer, ask and install it first."""
        chosen = options or self.options
        if self._machines.problem:
            self._session.fail(MetaSSLError(self._machines.problem))
            return
        if chosen.machine is not None:
            self._try(lambda: self.job.start(chosen))
            return
        if self._engine.setup.state in ("unknown", "missing"):
            self._engine.setup.lookAgain()
        if self._engine.setup.state in ("missing", "installing"):
            self._engine.installFor(lambda: self.train(chosen))
            return
        self._try(lambda: self.job.start(chosen))

    def stop(self) -> None:
        self._try(self.job.stop)

    def _onOpenLog(self) -> None:
        if self.job.logPath is not None:
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self.job.logPath)))

    def _onPreset(self, _index: int = 0) -> None:
        userSettings().setValue(QUALITY_KEY, _chosen(self.ui.presetComboBox))
        self.ui.minutesSpinBox.value = 0
        self._refreshDevice()

    def _try(self, do) -> None:
        try:
            do()
        except MetaSSLError as error:
            self._session.fail(error)

    # What is shown

    def _onTick(self) -> None:
        self.job.tick()
        self.onDemand.poll()
        self._refreshCurve()
        self._refreshLog()

    def _onFollowed(self, status: JobStatus | None) -> None:
        """What can go on goes on where it was begun, unless somebody chooses another machine."""
        followed = (self.job.round, "" if status is None else status.machine)
        if followed != self._followed:
            self._followed = followed
            if status is not None and status.machine:
                self._machines.choose(status.machine)

    def _onProjectChanged(self) -> None:
        self.onDemand.close()
        self._showUnseen("")
        self._unseen.ask()
        self._refresh()

    def _onCasesChanged(self, _ids) -> None:
        self._unseen.ask()
        self._showNewRound()

    def _showUnseen(self, text: str) -> None:
        self.ui.unseenLabel.text = text
        self.ui.unseenLabel.setVisible(bool(text))

    def _refresh(self, _status: JobStatus | None = None) -> None:
        job, ui, status = self.job, self.ui, self.job.status
        self._onFollowed(status)
        ui.trainButton.text = self._buttonText()
        ui.trainButton.setEnabled(self._session.project is not None and not job.isStarting and not job.isStopping)
        self._showNewRound()
        for choice in (ui.presetComboBox, ui.machineComboBox, ui.advancedGroup):
            choice.setEnabled(not job.isRunning)
        advice = job.problem or (TrainingAdvice.of(status) if status is not None and not job.isRunning else None)
        ui.problemFrame.setVisible(advice is not None)
        if advice is not None:
            ui.problemLabel.text, ui.adviceLabel.text = advice.text, advice.whatToDo
            ui.openLogButton.setVisible(job.logPath is not None and job.problem is None)
        ui.progressWidget.setVisible(status is not None or job.isStarting)
        ui.logGroup.setVisible(status is not None)
        self._refreshDevice()
        self._refreshProgress(status)
        self._refreshCurve()

    def _showNewRound(self) -> None:
        """Where the last round only predicts there may be no label to train on."""
        job = self.job
        canTrain = job.canGoOn and (not job.round.has_source or bool(self._session.project.labelled_cases()))
        self.ui.newRoundButton.setVisible(canTrain or job.canGiveWay)

    def _buttonText(self) -> str:
        job = self.job
        if job.isStarting:
            return _("Starting ...")
        if job.isStopping:
            return _("Stopping after this step ...")
        if job.isRunning:
            return _("Stop")
        if job.canGoOn and job.round.has_source:
            return _("Predict with the model")
        return _("Go on with the training") if job.canGoOn else _("Train")

    def _refreshProgress(self, status: JobStatus | None) -> None:
        ui, starting = self.ui, self.job.isStarting
        ui.stageLabel.text = _("Starting") if starting or status is None else stageText(status)
        details = "" if starting or status is None else detailText(status)
        notices = "" if starting or status is None else noticeText(status)
        for label, text in ((ui.detailLabel, details), (ui.noticeLabel, notices)):
            label.text = text
            label.setVisible(bool(text))
        running = self.job.isRunning
        ui.progressBar.setVisible(running)
        known = running and not starting and status.total > 0
        ui.progressBar.setRange(0, status.total if known else 0)
        if known:
            ui.progressBar.setValue(min(status.step, status.total))

    def _refreshDevice(self, *_ignored: object) -> None:
        status, setup, chosen = self.job.status, self._engine.setup, self.options
        if self.job.isRunning and status is not None and (status.device_name or status.machine):
            where = ": ".join(filter(None, (status.machine, status.device_name)))
            text = _("Will train on {device}") if status.state == "queued" else _("Trains on {device}")
            text = text.format(device=where)
        elif self._machines.problem:
            text = sentence(self._machines.problem)
        elif chosen.machine is not None:
            text = self._machines.line(chosen.minutes)
        elif chosen.device == "cpu" and setup.state == "ready":
            text = _("Will train on the CPU, as chosen: about {time} until the first case can be reviewed")
            text = text.format(time=duration(60 * chosen.minutes))
        else:
            text = setup.deviceLine(chosen.minutes)
        self.ui.deviceLabel.text = text

    def _refreshCurve(self) -> None:
        job, label = self.job, self.ui.curveLabel
        loss, dice = job.curve, job.dice
        hasCurve = len(loss) > 1 and not job.isStarting
        label.setVisible(hasCurve)
        if hasCurve:
            training = job.status is not None and job.status.stage == "training"
            self._curve.draw(loss, dice, job.status.total if training else 0)

    def _refreshLog(self) -> None:
        ui = self.ui
        if ui.logGroup.collapsed or not ui.logGroup.isVisible():
            return
        text = self.job.lastLog(_LOG_BYTES)
        if text != self._shownLog:
            self._shownLog = text
            bar = ui.logEdit.verticalScrollBar()
            place = bar.value if bar.value < bar.maximum else None
            ui.logEdit.setPlainText(text)
            bar.value = bar.maximum if place is None else place

    def _fillCombos(self) -> None:
        ui = self.ui
        qualities = qualityTexts()
        counts = [_("the next {count} cases").format(count=count) if count else _("all cases") for count in NEXT]
        devices = _("Automatic: a GPU if there is one"), _("NVIDIA GPU"), _("Apple GPU"), _("CPU")
        frameworks = frameworkTexts()
        losses = lossTexts()
        plans, pieces = planTexts(), piecesTexts()
        for combo, texts, values in (
            (ui.presetComboBox, [text for text, _hint in qualities.values()], qualities),
            (ui.predictComboBox, counts, NEXT),
            (ui.deviceComboBox, devices, DEVICES),
            (ui.frameworkComboBox, frameworks.values(), frameworks),
            (ui.lossComboBox, losses.values(), losses),
            (ui.planComboBox, plans.values(), plans),
            (ui.piecesComboBox, pieces.values(), pieces),
        ):
            for text, value in zip(texts, values):
                combo.addItem(text, value)
        for index, loss in enumerate(LOSS_CATALOG):
            ui.lossComboBox.setItemData(index, loss.summary, qt.Qt.ToolTipRole)
        for index, (_text, hint) in enumerate(qualities.values()):
            ui.presetComboBox.setItemData(index, hint, qt.Qt.ToolTipRole)
        chosen = str(userSettings().value(QUALITY_KEY, DEFAULT_QUALITY))
        if chosen in qualities:
            ui.presetComboBox.setCurrentIndex(list(qualities).index(chosen))


def _chosen(combo):
    return combo.itemData(combo.currentIndex)
