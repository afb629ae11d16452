"""Train on: this computer, or a machine that is set up in the panel, tested there, and shown while it trains."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import replace

import plain_ssh
import pytest
from metassl.jobs import JobStatus, read_events
from metassl.machines import Check, Machine, list_machines, write_machine
from metassl.machines.begun import note_begun
from train_panel import TrainPanel, course, line, tell, write

READY = [
    Check("connection", True, "gpu-room, Linux node7"),
    Check("Python", True, "3.12.10 (/home/me/venv/bin/python)"),
    Check("disk", True, "812 GB free at /home/me/.metassl"),
    Check("packages", True, "metassl 0.1.0, torch 2.9.1+cu128, monai 1.5.1, SimpleITK 2.5.2, numpy 2.3.4"),
    Check("torch", True, "2.9.1+cu128, a training step and bf16 work on the CPU"),
    Check("GPU", True, "CUDA 12.8: NVIDIA RTX A6000, 48 GiB; a training step works, bf16 is used"),
    Check("versions", True, "MetaSSL 0.1.0 on both sides, all as here"),
]


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Machines of this test alone, and an ssh that leads back to this computer."""
    monkeypatch.setenv("METASSL_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("METASSL_SSH", shlex.join([sys.executable, plain_ssh.__file__]))
    return tmp_path


@pytest.fixture
def panel(config, makePanel, tiny_project) -> TrainPanel:
    write_machine(Machine("gpu-room", "ssh", host="gpu-room", python="/home/me/venv/bin/python"))
    made = makePanel()
    made.open(tiny_project)
    made.ready()
    made.harness.wait(lambda: made.ui.machineComboBox.count == 2)
    return made


def choose(panel: TrainPanel, name: str) -> None:
    texts = [panel.ui.machineComboBox.itemText(index) for index in range(panel.ui.machineComboBox.count)]
    panel.ui.machineComboBox.setCurrentIndex(texts.index(name))


def form_of(panel: TrainPanel):
    return panel.train._machines.form


def queued(found, **changes) -> None:
    """What an attendant writes."""
    status = JobStatus.read(found.status_path)
    replace(status, machine="gpu-room", seq=status.seq + 1, **changes).write(found.status_path)


def test_trainings_run_here_until_a_machine_is_chosen(panel):
    assert panel.train.options.machine is None
    assert panel.train.options.where() == {"launcher": "local"}
    assert not form_of(panel).widget.isVisible()
    choose(panel, "gpu-room")
    assert panel.train.options.asked()["machine"] == "gpu-room" and panel.train.options.asked()["launcher"] == "ssh"
    assert panel.ui.deviceLabel.text == "Will train on gpu-room: about 4 minutes"
    choose(panel, "this computer")
    assert panel.ui.deviceLabel.text.startswith("Will train on NVIDIA RTX A4000")


def test_the_chosen_machine_is_remembered(panel, makePanel):
    choose(panel, "gpu-room")
    other = makePanel()
    other.harness.wait(lambda: other.ui.machineComboBox.count == 2)
    assert other.train.options.machine.name == "gpu-room"


def test_a_machine_is_set_up_and_tested_by_one_button(config, makePanel, harness):
    panel = makePanel()
    panel.ui.machinesButton.click()
    form = form_of(panel)
    ui = form.ui
    assert form.widget.isVisible() and not ui.slurmFrame.isVisible() and not ui.removeButton.enabled
    ui.testButton.click()
    assert "cannot name a machine" in ui.errorLabel.text
    ui.nameEdit.text = "lab"
    ui.testButton.click()
    assert "has no host" in ui.errorLabel.text and not list_machines()
    ui.hostEdit.text, ui.pythonEdit.text, ui.hereEdit.text = str(config / "home"), "/nowhere/python", "/data"
    ui.testButton.click()
    assert "needs both its names" in ui.errorLabel.text
    ui.thereEdit.text = "/mnt/data"
    with harness.watchdog() as watch:
        ui.testButton.click()
        assert ui.testButton.text == "Testing ..." and not ui.testButton.enabled
        harness.wait(lambda: ui.checksLabel.isVisible())
    watch.assertShort()
    assert not ui.errorFrame.isVisible()
    assert ui.checksLabel.text.startswith("✗ connection: lab: /nowhere/python cannot be run there")
    (made,) = list_machines()
    assert (made.name, made.kind, made.maps) == ("lab", "ssh", (("/data", "/mnt/data"),))
    panel.harness.wait(lambda: panel.ui.machineComboBox.count == 2)


def test_a_machine_that_is_ready_says_on_what_it_trains(panel):
    choose(panel, "gpu-room")
    panel.ui.machinesButton.click()
    machines = panel.train._machines.machines
    machines.checks["gpu-room"] = READY
    machines.changed.emit()
    text = form_of(panel).ui.checksLabel.text
    assert text.count("✓") == len(READY) and "✗" not in text
    expected = "Will train on gpu-room (CUDA 12.8: NVIDIA RTX A6000, 48 GiB): about 4 minutes"
    assert panel.ui.deviceLabel.text == expected
    panel.grab("machine_form")
    machines.checks["gpu-room"] = [
        replace(READY[3], is_fine=False, remedy="on gpu-room type: pip install 'torch>=2.8'")
    ]
    machines.changed.emit()
    assert form_of(panel).ui.checksLabel.text.endswith("\n    on gpu-room type: pip install 'torch>=2.8'")
    assert panel.ui.deviceLabel.text == "gpu-room is not ready: its test under Set up says why."


def test_the_form_for_slurm_asks_for_what_slurm_is_asked_for(panel):
    panel.ui.machinesButton.click()
    ui = form_of(panel).ui
    ui.kindComboBox.setCurrentIndex(1)
    assert ui.sshFrame.isVisible() and ui.slurmFrame.isVisible()
    ui.kindComboBox.setCurrentIndex(2)
    assert not ui.sshFrame.isVisible() and ui.slurmFrame.isVisible()
    ui.nameEdit.text, ui.partitionEdit.text, ui.timeEdit.text, ui.gpusSpinBox.value = "cluster", "gpu", "4:00:00", 2
    made = form_of(panel).machine()
    assert (made.kind, made.partition, made.time, made.gpus, made.host) == ("slurm", "gpu", "4:00:00", 2, "")


def test_what_the_form_does_not_show_of_a_machine_stays(panel):
    known = Machine("lab", "ssh", host="lab", setup=("module load python",), maps=(("/a", "/b"), ("/c", "/d")))
    form_of(panel).show(known)
    assert form_of(panel).machine() == known


def test_a_machine_is_forgotten_after_a_question(panel):
    choose(panel, "gpu-room")
    panel.ui.machinesButton.click()
    questions = []
    form_of(panel)._confirm = lambda question: bool(questions.append(question)) or len(questions) > 1
    form_of(panel).ui.removeButton.click()
    panel.harness.wait(lambda: questions)
    assert len(list_machines()) == 1
    assert questions == ["Forget the machine gpu-room? What trains there goes on."]
    form_of(panel).ui.removeButton.click()
    panel.harness.wait(lambda: panel.ui.machineComboBox.count == 1)
    assert not list_machines() and panel.train.options.machine is None


def test_the_question_names_what_is_not_finished_there(panel, tiny_project):
    found = write(panel, tiny_project, *course(241, 600), machine="gpu-room")
    note_begun("gpu-room", found)
    choose(panel, "gpu-room")
    panel.ui.machinesButton.click()
    questions = []
    form_of(panel)._confirm = questions.append
    form_of(panel).ui.removeButton.click()
    panel.harness.wait(lambda: questions)
    first, second, third = questions[0].splitlines()
    assert second == "Not finished there, and nothing of it will come here any more:"
    assert third == f"round 1 of {tiny_project.path} (running at step 241 of 600)" and list_machines()


def test_a_wrong_entry_is_named_trains_nowhere_and_can_be_removed(panel, config):
    path = config / "config" / "machines.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["machines"]["attic"] = {"kind": "ssh"}
    path.write_text(json.dumps(document), encoding="utf-8")
    panel.train.enter()
    panel.harness.wait(lambda: panel.ui.machineComboBox.count == 3)
    choose(panel, "attic (cannot be used)")
    problem = "Machine attic: it is reached by ssh, and has no host"
    assert panel.ui.deviceLabel.text.startswith(problem)
    panel.ui.trainButton.click()
    assert "has no host" in panel.messages[-1].text and not panel.job.isStarting
    panel.ui.machinesButton.click()
    ui = form_of(panel).ui
    assert ui.nameEdit.text == "attic" and ui.errorLabel.text.startswith(problem) and ui.removeButton.enabled
    form_of(panel)._confirm = lambda question: True
    ui.removeButton.click()
    panel.harness.wait(lambda: panel.ui.machineComboBox.count == 2)
    assert [machine.name for machine in list_machines()] == ["gpu-room"] and not ui.errorFrame.isVisible()


def test_a_job_that_waits_says_where_and_why(panel, tiny_project):
    found = write(panel, tiny_project, line(1, "stage", stage="sending", total=None), machine="gpu-room")
    queued(found, state="queued", stage="", queue="Priority: 3 jobs come first, it begins at about 14:30")
    ui = panel.ui
    panel.harness.wait(lambda: ui.stageLabel.text.startswith("Waits on gpu-room"))
    assert ui.stageLabel.text == "Waits on gpu-room: Priority: 3 jobs come first, it begins at about 14:30"
    assert ui.trainButton.text == "Stop" and ui.deviceLabel.text == "Will train on gpu-room"
    assert not ui.machineComboBox.enabled
    panel.grab("machine_queued")
    ui.trainButton.click()
    panel.harness.wait(found.stop_path.exists)


def test_what_is_copied_is_counted(panel, tiny_project):
    found = write(panel, tiny_project, line(1, "stage", stage="sending", total=None), machine="gpu-room")
    tell(found, line(2, "progress", stage="sending", step=120, total=512))
    panel.harness.wait(lambda: "120 of 512\u00a0MB" in panel.ui.detailLabel.text)
    assert panel.ui.stageLabel.text == "Copying to the other computer"


def test_a_training_there_shows_its_device_and_a_connection_that_is_lost(panel, tiny_project):
    found = write(panel, tiny_project, *course(241, 600), machine="gpu-room")
    ui = panel.ui
    assert ui.deviceLabel.text == "Trains on gpu-room: NVIDIA RTX A4000" and ui.stageLabel.text == "Training"
    panel.grab("machine_running")
    lost = "for 3 minutes nothing has come back of the training, which goes on there: no connection to gpu-room"
    queued(found, warnings=[lost])
    panel.harness.wait(lambda: lost in ui.noticeLabel.text)
    assert ui.trainButton.text == "Stop" and ui.stageLabel.text == "Training"
    panel.grab("machine_lost")
    queued(found, warnings=[])
    panel.harness.wait(lambda: not ui.noticeLabel.isVisible())


def test_a_training_that_nobody_follows_goes_on_where_it_was_begun(panel, tiny_project, monkeypatch):
    write(panel, tiny_project, *course(241, 600), alive=False, machine="gpu-room")
    ui = panel.ui
    assert ui.problemLabel.text == ("Nobody here follows the training on gpu-room any more, which may go on there.")
    assert ui.trainButton.text == "Go on with the training" and panel.train.options.machine.name == "gpu-room"
    panel.grab("machine_left")
    asked = []
    monkeypatch.setattr(panel.job, "_goOnStarting", lambda start: asked.append(start._asked))
    ui.trainButton.click()
    assert asked[0]["launcher"] == "ssh" and asked[0]["machine"] == "gpu-room" and "minutes" not in asked[0]


def test_one_that_goes_on_shows_its_curve_again(panel, tiny_project):
    found = write(panel, tiny_project, *course(241, 600), line(8, "paused", step=241), machine="gpu-room")
    assert panel.ui.trainButton.text == "Go on with the training"
    tell(
        found,
        line(9, "started", device="cuda", device_name="NVIDIA RTX A6000"),
        line(10, "stage", stage="training", total=600),
    )
    tell(found, line(11, "progress", stage="training", step=260, total=600, eta_s=136, loss={"total": 0.4}))
    panel.harness.wait(lambda: "step 260 of 600" in panel.ui.detailLabel.text)
    assert panel.ui.deviceLabel.text == "Trains on gpu-room: NVIDIA RTX A6000"
    assert len(panel.job.curve) > 40 and read_events(found.events_path)[-1].step == 260
    panel.grab("machine_resumed")
