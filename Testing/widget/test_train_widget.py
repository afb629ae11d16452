"""The sections "Train" and "Setup", driven as a person would, with real engine processes."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
import qt
import slicer
from metassl.jobs import JobRecord
from MetaSSLSlicerLib.Logic.BackgroundTasks import BackgroundTasks
from MetaSSLSlicerLib.Logic.Dependencies import Dependencies
from MetaSSLSlicerLib.Logic.EngineCheck import EngineCheck
from MetaSSLSlicerLib.Logic.EnginePython import EnginePython
from MetaSSLSlicerLib.Logic.Session import Session
from MetaSSLSlicerLib.Logic.SlicerPackages import SlicerPackages
from MetaSSLSlicerLib.Logic.SlicerServices import SlicerServices
from MetaSSLSlicerLib.Logic.TrainingJob import TrainingJob
from MetaSSLSlicerLib.Logic.TrainingOptions import TrainingOptions
from MetaSSLSlicerLib.Widgets.EngineWidget import PYTHON_KEY, EngineWidget
from MetaSSLSlicerLib.Widgets.TrainWidget import TrainWidget
from PySide6.QtWidgets import QApplication

LONGEST_MS = 50.0
GPU = EngineCheck(
    True, "cuda", "NVIDIA RTX A4000, 16 GiB", "2.9.1+cu128",
    (("ok", "python", "3.12.10 on Linux x86_64, metassl 0.1.0"), ("ok", "memory", "31.1 GiB"),
     ("ok", "torch", "2.9.1+cu128, a training step and bf16 work on the CPU"),
     ("ok", "GPU", "CUDA 12.8: NVIDIA RTX A4000, 16 GiB; a training step works, bf16 is used"),
     ("ok", "monai", "1.5.1, a small network runs"),
     ("note", "pictures", "slicer-core is not installed: reports have no pictures")),
)  # fmt: skip


class EmptyShelf:
    """A Slicer without torch and monai; installing them works unless the extension is missing."""

    def __init__(self, extension: bool = True) -> None:
        self.extension, self.there = extension, {"SimpleITK": "2.5", "numpy": "2.0"}

    def version(self, name: str) -> str | None:
        return self.there.get(name)

    def hasPyTorchExtension(self) -> bool:
        return self.extension

    def installTorch(self, versions: str) -> None:
        self.there["torch"] = "99"

    def install(self, requirements: list[str]) -> None:
        self.there["monai"] = "99"


class Panel:
    """Both sections one above the other, on a real session."""

    def __init__(self, harness, packages=None, confirm=lambda question: True) -> None:
        services = harness.services
        self.harness = harness
        self.session = Session(
            SlicerServices(services.scene, services.applicationLogic, services.segmentationsLogic), BackgroundTasks(1)
        )
        self.messages = []
        self.session.said.connect(self.messages.append)
        self.python = EnginePython()
        self.job = TrainingJob(self.session, self.python)
        self.engine = EngineWidget(self.session, self.python, Dependencies(packages or SlicerPackages(), confirm))
        self.train = TrainWidget(self.session, self.job, self.engine)
        self.widget = qt.QWidget()
        layout = qt.QVBoxLayout(self.widget)
        for section in (self.train, self.engine):
            layout.addWidget(section.widget)
        layout.addStretch(1)
        self.pump = qt.QTimer()
        self.pump.setInterval(10)
        self.pump.connect("timeout()", self.session.tasks.pump)
        self.pump.start()
        self.widget.show()

    @property
    def ui(self):
        return self.train.ui

    def open(self, project) -> None:
        self.session.openProject(project.path)
        self.harness.wait(lambda: not self.session.tasks.busy)

    def ready(self, check: EngineCheck = GPU) -> None:
        """As after a check with this result."""
        self.engine.setup.close()
        self.engine.setup.check, self.engine.setup.missing = check, []
        self.engine.setup._become("ready" if check.ready else "failed")

    def grab(self, name: str) -> None:
        for width in (380, 600):
            self.widget.resize(width, 100)
            self.harness.process(30)
            self.train._refreshCurve()
            self.harness.grab(self.widget, f"{name}_{width}", width)

    def close(self) -> None:
        self.train.cleanup()
        self.engine.cleanup()
        self.session.shutdown()
        self.pump.stop()


@pytest.fixture
def makePanel(harness):
    made = []

    def make(*args, **options) -> Panel:
        made.append(Panel(harness, *args, **options))
        return made[-1]

    yield make
    for panel in made:
        panel.close()


@pytest.fixture
def panel(makePanel, tiny_project) -> Panel:
    """On the tiny project, with a GPU."""
    made = makePanel()
    made.open(tiny_project)
    made.ready()
    return made


def line(number: int, event: str, **fields) -> str:
    when = datetime.now(UTC) - timedelta(seconds=150 - number)
    return json.dumps({"seq": number, "time": when.isoformat(), "event": event, **fields}) + "\n"


def write(panel: Panel, project, *events: str, alive: bool = True, log: str = ""):
    """A round as the engine would have written it; the panel has looked at it."""
    found = project.new_round({"config": {}, "launcher": "local"})
    found.events_path.write_text("".join(events))
    found.log_path.write_text(log)
    record = replace(JobRecord.of(os.getpid()), launched="2026-01-01T00:00:00+00:00")
    (record if alive else replace(record, pid=2**22 - 7)).write(found.job_path)
    panel.job.attach()
    panel.harness.wait(lambda: panel.job.round == found)
    return found


def course(steps: int, total: int) -> list[str]:
    events = [
        line(1, "started", device="cuda", device_name="NVIDIA RTX A4000"),
        line(2, "stage", stage="training", total=total),
    ]
    for step in range(1, steps + 1, 5):
        events.append(
            line(3, "progress", stage="training", step=step, total=total, eta_s=(total - step) * 0.4, memory_mb=2300,
                 loss={"total": 0.35 + 0.9 / (1 + step / 20) + 0.04 * ((step * 7919) % 11 - 5) / 5})
        )  # fmt: skip
        if step % 50 == 1 and step > 1:
            dice = {"mean": 0.93 - 0.5 / (step / 40), "per_class": {}}
            events.append(line(4, "validation", step=step, dice=dice))
    return events


# Train


def test_without_a_project_there_is_nothing_to_press(makePanel):
    panel = makePanel()
    assert not panel.ui.trainButton.enabled and panel.job.status is None


def test_the_button_starts_a_training_that_can_be_watched_to_its_end(makePanel, tiny_project, monkeypatch):
    panel = makePanel()
    panel.open(tiny_project)
    panel.ready()
    ended, chosen = [], TrainingOptions(iterations=20, device="cpu")
    panel.job.ended.connect(lambda found, status: ended.append(status.state))
    monkeypatch.setattr(TrainWidget, "options", chosen)
    with panel.harness.watchdog() as watch:
        panel.ui.trainButton.click()
        assert panel.ui.trainButton.text == "Starting ..." and not panel.ui.trainButton.enabled
        panel.harness.wait(lambda: panel.ui.trainButton.text == "Stop", 60)
        panel.harness.wait(lambda: bool(ended), 120)
    assert ended == ["finished"], panel.job.lastLog()
    assert panel.ui.trainButton.text == "Train" and panel.ui.trainButton.enabled
    assert panel.ui.stageLabel.text == "Finished. Cases predicted: 3"
    assert "Dice" in panel.ui.detailLabel.text and not panel.ui.problemFrame.isVisible()
    assert [message.text for message in panel.messages] == []
    assert watch.longest_ms < LONGEST_MS, watch.slowest


def test_idle_the_device_and_the_time_are_shown(panel):
    assert panel.ui.deviceLabel.text == "Will train on NVIDIA RTX A4000, 16 GiB: about 4 minutes"
    panel.ui.presetComboBox.setCurrentIndex(1)
    assert panel.ui.deviceLabel.text == "Will train on NVIDIA RTX A4000, 16 GiB: about 15 minutes"
    assert not panel.ui.progressWidget.isVisible() and not panel.ui.problemFrame.isVisible()
    panel.grab("train_idle")
    panel.ui.presetComboBox.setCurrentIndex(0)
    panel.ready(EngineCheck(True, "cpu", "CPU (8 cores)", "2.9.1"))
    assert panel.ui.deviceLabel.text == "No GPU can be used. Will train on the CPU (8 cores): about 4 minutes"
    panel.ui.advancedGroup.collapsed = False
    panel.engine.open()
    panel.grab("train_idle_cpu_advanced")


def test_the_choices_reach_the_engine(panel):
    ui = panel.ui
    assert panel.train.options == TrainingOptions()
    ui.presetComboBox.setCurrentIndex(1)
    ui.hostComboBox.setCurrentIndex(1)
    ui.lossComboBox.setCurrentIndex(1)
    ui.deviceComboBox.setCurrentIndex(3)
    assert panel.train.options == TrainingOptions(15.0, "mt", "plain", "cpu")
    assert "on the CPU, as chosen" in ui.deviceLabel.text
    ui.minutesSpinBox.value = 30
    assert panel.train.options.minutes == 30 and "30 minutes" in ui.deviceLabel.text
    ui.presetComboBox.setCurrentIndex(0)
    assert panel.train.options.minutes == 4, "a preset takes the place of an own length"


def test_the_preset_is_remembered(makePanel, settings):
    makePanel().ui.presetComboBox.setCurrentIndex(1)
    assert makePanel().train.options.minutes == 15


def test_a_running_training_shows_how_it_gets_on(panel, tiny_project):
    found = write(panel, tiny_project, *course(241, 600), log="epoch\n" * 3)
    ui = panel.ui
    assert ui.trainButton.text == "Stop" and ui.stageLabel.text == "Training"
    assert ui.detailLabel.text.startswith("step 241 of 600 · 2\u00a0min 24\u00a0s left · ")
    assert "memory 2.2\u00a0GB" in ui.detailLabel.text and "Dice 0.8" in ui.detailLabel.text
    assert (ui.progressBar.value, ui.progressBar.maximum) == (241, 600)
    assert ui.deviceLabel.text == "Trains on NVIDIA RTX A4000" and not ui.presetComboBox.enabled
    assert ui.curveLabel.isVisible() and not ui.newRoundButton.isVisible()
    panel.grab("train_running")
    with open(found.events_path, "a") as stream:
        stream.write(line(9, "stage", stage="predicting", total=3) + line(10, "predicted", case="case_3", doubt=0.1))
        stream.write(line(11, "warning", message="case_4 has another spacing than the rest"))
        stream.write(line(12, "case_failed", case="case_5", reason="case_5: the file is truncated: case_5.nii.gz"))
    panel.harness.wait(lambda: ui.stageLabel.text == "Predicting the other cases")
    assert "1 of 3" in ui.detailLabel.text and "Left out: case_5" in ui.noticeLabel.text
    ui.logGroup.collapsed = False
    panel.harness.wait(lambda: ui.logEdit.plainText.startswith("epoch"))
    panel.grab("train_predicting_log")


def test_stop_asks_the_job_to_stop_and_go_on_is_offered(panel, tiny_project):
    found = write(panel, tiny_project, *course(101, 600))
    panel.ui.trainButton.click()
    assert found.stop_path.exists() and panel.ui.trainButton.text.startswith("Stopping")
    assert not panel.ui.trainButton.enabled
    with open(found.events_path, "a") as stream:
        stream.write(line(20, "paused", step=102))
    panel.harness.wait(lambda: panel.job.canGoOn)
    assert panel.ui.trainButton.text == "Go on with the training" and panel.ui.trainButton.enabled
    assert panel.ui.newRoundButton.isVisible()
    assert panel.ui.stageLabel.text == "Stopped at step 102. Nothing is lost."
    panel.grab("train_stopped")


def test_a_failure_is_told_with_what_to_do_and_the_log(panel, tiny_project):
    message = "cannot write last.pt: No space left on device"
    write(panel, tiny_project, *course(60, 600), line(30, "failed", message=message, hint=""), alive=False, log="x\n")
    ui = panel.ui
    assert ui.problemLabel.text.startswith("The disk is full.") and "Make room" in ui.adviceLabel.text
    assert ui.openLogButton.isVisible() and ui.trainButton.text == "Train"
    panel.grab("train_failed")


def test_a_training_that_was_killed_can_go_on(panel, tiny_project):
    write(panel, tiny_project, *course(60, 600), alive=False)
    assert "ended without a word" in panel.ui.problemLabel.text
    assert panel.ui.trainButton.text == "Go on with the training"


def test_a_finished_training_shows_its_result(panel, tiny_project):
    events = [*course(600, 600), line(90, "predicted", case="case_3", doubt=0.1), line(91, "finished", seconds=240)]
    write(panel, tiny_project, *events, alive=False)
    assert panel.ui.stageLabel.text == "Finished. Cases predicted: 1" and panel.ui.trainButton.text == "Train"
    panel.grab("train_finished")


# Setup


def test_missing_packages_are_asked_for_once_at_the_first_train(makePanel, tiny_project):
    questions = []
    panel = makePanel(EmptyShelf(), lambda question: questions.append(question))
    panel.open(tiny_project)
    assert panel.ui.deviceLabel.text.startswith("Not ready yet: torch (200 MB")
    panel.engine.open()
    assert panel.engine.ui.installButton.isVisible()
    panel.grab("train_not_installed")
    panel.ui.trainButton.click()
    assert len(questions) == 1 and not panel.job.isStarting and panel.messages == []


def test_after_the_installation_the_training_starts(makePanel, tiny_project):
    panel = makePanel(EmptyShelf())
    panel.open(tiny_project)
    started = []
    panel.job.python = SimpleNamespace(start=lambda arguments: started.append(arguments))
    panel.ui.trainButton.click()
    assert panel.engine.setup.missing == [] and started[0][0] == "train"


def test_clicks_while_it_installs_do_not_begin_a_second_installation(makePanel, monkeypatch):
    class Slow(EmptyShelf):
        installed = 0

        def install(self, requirements):  # pip's output lets Slicer answer in between
            self.installed += 1
            seen.append((engine.ui.installButton.enabled, engine.ui.summaryLabel.text, engine.install()))
            super().install(requirements)

    seen, shelf, questions = [], Slow(), []
    panel = makePanel(shelf)
    engine = panel.engine
    monkeypatch.setattr("slicer.util.confirmOkCancelDisplay", lambda question: questions.append(question) or True)
    engine.setup.dependencies = Dependencies(shelf, engine._confirm)
    engine.setup.lookAgain()
    engine.open()
    engine.ui.installButton.click()
    assert seen == [(False, "Installing ... this takes some minutes", False)]
    assert shelf.installed == len(questions) == 1 and "Installing" not in engine.ui.summaryLabel.text
    assert QApplication.overrideCursor() is None


def test_without_the_pytorch_extension_the_extensions_manager_is_offered(makePanel, tiny_project):
    panel = makePanel(EmptyShelf(extension=False))
    panel.open(tiny_project)
    panel.ui.trainButton.click()
    message = panel.messages[0]
    assert message.level == "error" and message.actionText == "Open the Extensions Manager" and message.action
    assert not panel.job.isStarting


def test_the_check_runs_in_the_background_and_is_shown(makePanel):
    panel = makePanel()
    assert panel.engine.setup.state == "unknown" and panel.engine.ui.section.collapsed
    panel.engine.open()
    panel.harness.wait(lambda: panel.engine.setup.state in ("ready", "failed"), 120)
    assert panel.engine.ui.summaryLabel.text.startswith("Ready: trains on ")
    assert "torch: " in panel.engine.ui.findingsLabel.text
    assert not panel.engine.ui.installButton.isVisible(), "what is hidden stays so when the section is opened"
    panel.engine.ui.findingsGroup.collapsed = False
    panel.grab("setup_ready")
    assert panel.widget.minimumSizeHint.width() <= 380


def test_a_computer_that_cannot_train_says_why_and_opens_the_section(panel):
    findings = (*GPU.findings[:3], ("failed", "monai", "the check crashed: its process was ended by SIGSEGV"))
    panel.ready(EngineCheck(False, "cpu", "CPU", "2.9.1", findings, "monai: the check crashed", "reinstall monai"))
    assert not panel.engine.ui.section.collapsed
    assert panel.engine.ui.detailLabel.text == "monai: the check crashed\nWhat to do: reinstall monai"
    assert panel.ui.deviceLabel.text == "This computer cannot train yet. The section Setup says why."
    panel.grab("setup_failed")


def test_another_python_is_used_remembered_and_left_again(makePanel, tiny_project, settings):
    panel = makePanel()
    ui = panel.engine.ui
    panel.engine.open()
    ui.pythonGroup.collapsed = False
    ui.pathEdit.setCurrentPath("/nowhere/python")
    ui.useButton.click()
    assert "There is no Python at /nowhere/python" in panel.messages[-1].text and panel.python.isOwn
    ui.pathEdit.setCurrentPath(sys.executable)
    ui.useButton.click()
    assert not panel.python.isOwn and settings.value(PYTHON_KEY) == sys.executable
    again = makePanel()
    again.engine.open()
    assert again.python.executable == sys.executable and again.engine.ui.ownButton.enabled
    again.grab("setup_other_python")
    again.engine.ui.ownButton.click()
    assert again.python.isOwn and settings.value(PYTHON_KEY) == ""


def test_the_questions_are_asked_by_slicer(harness):
    assert callable(slicer.util.confirmOkCancelDisplay) and callable(slicer.app.openExtensionsManagerDialog)
