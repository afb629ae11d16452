"""The section "Train", driven as a person would, with real engine processes."""

from __future__ import annotations

import numpy as np
import pytest
from metassl.jobs.source_round import make_source_round
from MetaSSLSlicerLib.Logic.Engine.EngineCheck import EngineCheck
from MetaSSLSlicerLib.Logic.Training.TrainingOptions import TrainingOptions
from MetaSSLSlicerLib.Widgets.TrainWidget import TrainWidget
from train_panel import TrainPanel, course, line, tell, write


@pytest.fixture
def panel(makePanel, tiny_project) -> TrainPanel:
    """On the tiny project, with a GPU."""
    made = makePanel()
    made.open(tiny_project)
    made.ready()
    return made


# Train


def test_without_a_project_there_is_nothing_to_press(makePanel):
    panel = makePanel()
    assert not panel.ui.trainButton.enabled and panel.job.status is None


def test_structures_that_no_labelled_case_shows_are_named_until_one_does(panel, tiny_project, make_case, make_grid):
    assert not panel.ui.unseenLabel.isVisible()
    for number in range(2):
        front = np.where(make_case(number)[1] == 1, 1, 0).astype(np.uint8)
        tiny_project.add_label(f"case_{number}", (front, make_grid()))
    panel.session.casesChanged.emit(None)
    panel.harness.wait(lambda: panel.ui.unseenLabel.isVisible())
    assert panel.ui.unseenLabel.text == "No labelled case shows Back: it cannot be learnt until one does."
    panel.grab("train_unseen")
    tiny_project.add_label("case_3", (make_case(3)[1], make_grid()))
    panel.session.casesChanged.emit(["case_3"])
    panel.harness.wait(lambda: not panel.ui.unseenLabel.isVisible())


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
        panel.harness.wait(lambda: panel.ui.trainButton.text == "Stop")
        panel.harness.wait(lambda: bool(ended))
    assert ended == ["finished"], panel.job.lastLog()
    assert panel.ui.trainButton.text == "Train" and panel.ui.trainButton.enabled
    assert panel.ui.stageLabel.text == "Finished. Cases predicted: 3"
    assert "Dice" in panel.ui.detailLabel.text and not panel.ui.problemFrame.isVisible()
    assert [message.text for message in panel.messages] == []
    watch.assertShort()


UNTIL = ": about {} minutes until the first case can be reviewed"


def test_idle_the_device_and_the_time_are_shown(panel):
    assert panel.ui.deviceLabel.text == "Will train on NVIDIA RTX A4000, 16 GiB" + UNTIL.format(4)
    panel.ui.presetComboBox.setCurrentIndex(1)
    assert panel.ui.deviceLabel.text == "Will train on NVIDIA RTX A4000, 16 GiB" + UNTIL.format(15)
    assert not panel.ui.progressWidget.isVisible() and not panel.ui.problemFrame.isVisible()
    panel.grab("train_idle")
    panel.ui.presetComboBox.setCurrentIndex(0)
    panel.ready(EngineCheck(True, "cpu", "CPU (8 cores)", "2.9.1"))
    assert panel.ui.deviceLabel.text == "No GPU can be used. Will train on the CPU (8 cores)" + UNTIL.format(4)
    panel.ui.advancedGroup.collapsed = False
    panel.engine.ui.section.collapsed = False
    panel.grab("train_idle_cpu_advanced")


def test_the_choices_reach_the_engine(panel):
    ui = panel.ui
    assert panel.train.options == TrainingOptions()
    ui.presetComboBox.setCurrentIndex(1)
    ui.frameworkComboBox.setCurrentIndex(1)
    ui.lossComboBox.setCurrentIndex(1)
    ui.deviceComboBox.setCurrentIndex(3)
    ui.predictComboBox.setCurrentIndex(1)
    ui.planComboBox.setCurrentIndex(1)
    ui.piecesComboBox.setCurrentIndex(1)
    assert panel.train.options == TrainingOptions("good", 0.0, 20, "mt", "plain", "cpu", "2d", "all")
    assert "on the CPU, as chosen" in ui.deviceLabel.text
    ui.minutesSpinBox.value = 30
    assert panel.train.options.minutes == 30 and "30 minutes" in ui.deviceLabel.text
    ui.presetComboBox.setCurrentIndex(0)
    assert panel.train.options.minutes == 4, "a preset takes the place of an own length"


def test_with_a_model_and_no_label_there_is_nothing_to_train_anew_on(makePanel, tiny_project, tmp_path):
    make_source_round(tiny_project, [tmp_path], {})
    labels = len(tiny_project.labelled_cases())
    for case in tiny_project.labelled_cases():
        tiny_project.update_case(case.id, split="aside")
    panel = makePanel()
    panel.open(tiny_project)
    panel.ready()
    assert panel.ui.trainButton.text == "Predict with the model" and not panel.ui.newRoundButton.isVisible()
    tiny_project.update_case("case_0", split="pool")
    panel.session.casesChanged.emit(["case_0"])
    panel.harness.wait(lambda: panel.ui.newRoundButton.isVisible())
    assert labels and panel.ui.trainButton.text == "Predict with the model"


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
    tell(
        found,
        line(9, "stage", stage="predicting", total=3),
        line(10, "predicted", case="case_3", uncertainty=0.1),
        line(11, "warning", message="case_4 has another spacing than the rest"),
        line(12, "case_failed", case="case_5", reason="case_5: the file is truncated: case_5.nii.gz"),
    )
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
    tell(found, line(20, "paused", step=102))
    panel.harness.wait(lambda: panel.job.canGoOn)
    assert panel.ui.trainButton.text == "Go on with the training" and panel.ui.trainButton.enabled
    assert panel.ui.newRoundButton.isVisible()
    assert panel.ui.stageLabel.text == "Stopped at step 102. Nothing is lost."
    panel.grab("train_stopped")


def test_a_training_that_only_predicts_what_is_left_gives_way_to_a_new_one(panel, tiny_project):
    found = write(panel, tiny_project, *course(600, 600), line(9, "stage", stage="predicting", total=3))
    panel.harness.wait(lambda: panel.job.status.stage == "predicting")
    assert not panel.job.canGiveWay and not panel.ui.newRoundButton.isVisible(), "there is nothing to review yet"
    tell(found, line(10, "predicted", case="case_3", uncertainty=0.1), line(11, "ranked", count=1))
    panel.harness.wait(lambda: panel.job.canGiveWay)
    assert panel.ui.newRoundButton.isVisible() and panel.ui.trainButton.text == "Stop"
    panel.session.openCase("case_4")
    panel.session.tasks.finish()
    assert found.wanted() == "case_4"


def test_a_failure_is_told_with_what_to_do_and_the_log(panel, tiny_project):
    message = "cannot write last.pt: No space left on device"
    write(
        panel,
        tiny_project,
        *course(60, 600),
        line(30, "failed", message=message, hint="", code="disk_full"),
        alive=False,
        log="x\n",
    )
    ui = panel.ui
    assert ui.problemLabel.text.startswith("The disk is full.") and "Make room" in ui.adviceLabel.text
    assert ui.openLogButton.isVisible() and ui.trainButton.text == "Train"
    panel.grab("train_failed")


def test_a_training_that_was_killed_can_go_on(panel, tiny_project):
    write(panel, tiny_project, *course(60, 600), alive=False)
    assert "ended without a word" in panel.ui.problemLabel.text
    assert panel.ui.trainButton.text == "Go on with the training"


def test_a_finished_training_shows_its_result(panel, tiny_project):
    events = [
        *course(600, 600),
        line(90, "predicted", case="case_3", uncertainty=0.1),
        line(91, "finished", seconds=240),
    ]
    write(panel, tiny_project, *events, alive=False)
    assert panel.ui.stageLabel.text == "Finished. Cases predicted: 1" and panel.ui.trainButton.text == "Train"
    panel.grab("train_finished")
