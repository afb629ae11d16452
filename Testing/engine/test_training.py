"""The training job as its users meet it: real processes on a tiny cohort."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from file_limit import files_end_at
from in_process import trainings_in_this_process
from machine import PATIENCE_S
from metassl.files.errors import BusyError, ErrorCode, ProjectError
from metassl.files.json_files import read_json, write_json
from metassl.imaging import images
from metassl.inference.model import TrainedModel
from metassl.inference.predict import predict_project
from metassl.jobs.events import read_events
from metassl.jobs.liveness import job_status
from metassl.jobs.record import JobRecord
from metassl.jobs.start import start_training
from metassl.networks.checkpoint import load_checkpoint
from metassl.networks.unet import build_network
from metassl.project import LabelDefinition, Project
from metassl.project.cases import Case


@pytest.fixture
def project(tmp_path) -> Project:
    """Six 16³ images of a bright ball, two of them labelled, one for validation."""
    made = Project.create(tmp_path / "project", "Balls", [LabelDefinition(3, "Ball")], ["MR"])
    z, y, x = np.mgrid[:16, :16, :16]
    for index in range(6):
        rng = np.random.default_rng(index)
        centre = rng.uniform(6, 10, 3)
        ball = (z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 < 16
        image = sitk.GetImageFromArray((ball * 2 + rng.normal(0, 0.3, ball.shape)).astype(np.float32))
        path = tmp_path / f"ball{index}.nii.gz"
        sitk.WriteImage(image, str(path))
        split = "validation" if index == 5 else "pool"
        made.add_cases([Case(f"ball{index}", [str(path)], split)])
        if index in (0, 1, 5):
            label = sitk.GetImageFromArray((ball * 3).astype(np.uint8))
            sitk.WriteImage(label, str(tmp_path / "label.nrrd"))
            made.add_label(f"ball{index}", tmp_path / "label.nrrd")
    return made


@pytest.fixture
def in_this_process(monkeypatch):
    """For what does not depend on the process: torch is loaded once."""
    with trainings_in_this_process(monkeypatch):
        yield


def wait(found, until=lambda status: status.is_over):
    """The status once `until` holds; fails loudly when it never does."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        status = job_status(found)
        if until(status):
            return status
        time.sleep(0.05)
    raise AssertionError(f"still {status} after {PATIENCE_S} s: {found.log_path.read_text(encoding='utf-8')}")


def trained(status) -> int:
    """The steps of training so far; preparing the cases counts steps of its own."""
    return (status.step or 0) if status.stage == "training" else 0


def weights(found) -> dict:
    return load_checkpoint(found.last_checkpoint_path)["framework"]


def kill(found) -> None:
    os.kill(JobRecord.read(found.job_path).pid, signal.SIGKILL)


def test_a_round_ends_with_maps_of_every_unlabelled_case_and_a_ranking(project):
    found = start_training(project, iterations=12, device="cpu", seed=1)
    status = wait(found)
    assert status.state == "finished", found.log_path.read_text(encoding="utf-8")
    assert found.predicted_cases() == ["ball2", "ball3", "ball4"]
    assert {case.state for case in project.unlabelled_cases()} == {"predicted"}
    assert found.ranking_path.exists()
    maps = sitk.ReadImage(str(found.prediction("ball2").regions))
    assert maps.GetSize() == (16, 16, 16)
    values = np.unique(sitk.GetArrayFromImage(sitk.ReadImage(str(found.prediction("ball2").segmentation))))
    assert set(values) <= {0, 3}
    names = [event.event for event in read_events(found.events_path)]
    assert names[0] == "started" and names[-1] == "finished" and "validation" in names
    waits = [e.data_wait_share for e in read_events(found.events_path) if e.data_wait_share is not None]
    assert waits and all(0 <= share <= 1 for share in waits)


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX")
def test_a_killed_training_resumes_to_the_same_weights_to_the_bit(project, tmp_path):
    found = start_training(project, iterations=80, device="cpu", seed=3)
    assert wait(found).state == "finished", found.log_path.read_text(encoding="utf-8")
    whole = weights(found)

    second = start_training(project, iterations=80, device="cpu", seed=3, fresh=True, new_round=True)
    random_step = int(np.random.default_rng().integers(2, 40))
    wait(second, until=lambda status: (status.step or 0) >= random_step and status.stage == "training")
    kill(second)
    assert wait(second).state == "interrupted"
    resumed = start_training(project)
    assert resumed.number == second.number
    assert wait(resumed).state == "finished", resumed.log_path.read_text(encoding="utf-8")
    again = weights(resumed)
    assert whole.keys() == again.keys()
    different = [name for name in whole if not torch.equal(whole[name], again[name])]
    assert different == []


def test_a_stop_request_pauses_and_the_next_train_goes_on(project):
    found = start_training(project, iterations=400, device="cpu")
    wait(found, until=lambda status: trained(status) >= 3)
    found.stop_path.touch()
    assert wait(found).state == "paused"
    assert found.model_path.exists(), "a stopped round keeps a model"
    step = load_checkpoint(found.last_checkpoint_path)["step"]
    assert 3 <= step < 400
    with pytest.raises(ProjectError, match="--framework mt"):
        start_training(project, framework="mt")
    resumed = start_training(project)
    wait(resumed, until=lambda status: trained(status) > step)
    resumed.stop_path.touch()
    assert wait(resumed).state == "paused"


def test_predictions_of_a_half_trained_model_are_made_again_by_the_finished_one(project):
    found = start_training(project, iterations=80, device="cpu")
    wait(found, until=lambda status: trained(status) >= 2)
    found.stop_path.touch()
    assert wait(found).state == "paused"
    predict_project(project, ["ball2"], device="cpu")
    early = read_json(found.prediction("ball2").summary, "the summary")["step"]
    assert early < 80
    assert wait(start_training(project)).state == "finished", found.log_path.read_text(encoding="utf-8")
    assert read_json(found.prediction("ball2").summary, "the summary")["step"] == 80


def test_two_trainings_at_once_are_refused_with_the_holder(project):
    found = start_training(project, iterations=400, device="cpu")
    with pytest.raises(BusyError, match=r"pid \d+"):
        start_training(project)
    found.stop_path.touch()
    wait(found)


def test_the_next_round_starts_from_the_former_model_and_knows_its_labels(project, in_this_process):
    first = start_training(project, iterations=10, device="cpu")
    assert wait(first).state == "finished", first.log_path.read_text(encoding="utf-8")
    second = start_training(project, iterations=5, device="cpu")
    assert wait(second).state == "finished", second.log_path.read_text(encoding="utf-8")
    assert second.record["parent"] == first.number
    assert second.record["labels"].keys() == {"ball0", "ball1"}
    fresh = start_training(project, iterations=5, device="cpu", fresh=True)
    assert wait(fresh).state == "finished"
    assert fresh.record["parent"] is None
    fresh.model_path.write_bytes(b"of another version")
    last = start_training(project, iterations=5, device="cpu")
    assert wait(last).state == "finished", last.log_path.read_text(encoding="utf-8")
    warnings = [event.message for event in read_events(last.events_path) if event.event == "warning"]
    assert any(word.startswith("starting afresh: ") and str(fresh.model_path) in word for word in warnings)


def test_a_round_after_one_on_a_gpu_starts_afresh_on_a_cpu(project, in_this_process):
    first = start_training(project, iterations=5, device="cpu")
    assert wait(first).state == "finished", first.log_path.read_text(encoding="utf-8")
    model = TrainedModel.load(first.model_path, torch.device("cpu"))
    assert model.plan.device == "cpu"
    plan = replace(model.plan, device="cuda", filters=tuple(2 * number for number in model.plan.filters))
    replace(model, plan=plan, networks=(build_network(plan), build_network(plan))).save(first.model_path)
    second = start_training(project, iterations=5, device="cpu")
    assert wait(second).state == "finished", second.log_path.read_text(encoding="utf-8")
    warnings = [event.message for event in read_events(second.events_path) if event.event == "warning"]
    assert any("is of another size, for another device or quality: starting afresh" in word for word in warnings)
    assert TrainedModel.load(second.model_path, torch.device("cpu")).plan.device == "cpu"


def test_slices_are_learnt_one_by_one_where_that_is_asked_for_and_volumes_start_afresh(project, in_this_process):
    first = start_training(project, iterations=8, device="cpu", plan="2d", loss="official")
    assert wait(first).state == "finished", first.log_path.read_text(encoding="utf-8")
    flat = TrainedModel.load(first.model_path, torch.device("cpu"))
    assert flat.plan.is_flat and first.predicted_cases() == ["ball2", "ball3", "ball4"]
    assert sitk.ReadImage(str(first.prediction("ball2").regions)).GetSize() == (16, 16, 16)
    second = start_training(project, iterations=5, device="cpu")
    assert wait(second).state == "finished"
    assert TrainedModel.load(second.model_path, torch.device("cpu")).plan == flat.plan, "auto goes on as it was"
    third = start_training(project, iterations=5, device="cpu", plan="3d")
    assert wait(third).state == "finished"
    assert not TrainedModel.load(third.model_path, torch.device("cpu")).plan.is_flat
    warnings = [event.message for event in read_events(third.events_path) if event.event == "warning"]
    assert any("is for another plan (2d or 3d): starting afresh" in word for word in warnings)
    with pytest.raises(ProjectError, match="there is no plan '4d': choose one of auto, 2d, 3d"):
        start_training(project, iterations=5, plan="4d")


def test_an_image_that_fails_stops_its_case_and_the_rest_go_on(project, in_this_process):
    broken = project.image_paths("ball3")[0]
    broken.write_bytes(broken.read_bytes()[:200])
    found = start_training(project, iterations=5, device="cpu")
    assert wait(found).state == "finished", found.log_path.read_text(encoding="utf-8")
    failed = [e for e in read_events(found.events_path) if e.event == "case_failed"]
    assert {e.case for e in failed} == {"ball3"} and str(broken) in failed[0].file
    assert found.predicted_cases() == ["ball2", "ball4"]


def test_every_image_is_decoded_once_and_its_maps_are_those_of_the_file_read_anew(
    project, in_this_process, monkeypatch
):
    files = {project.image_paths(case)[0]: case for case in project.cases}
    decoded, read = [], images._read

    def counted(path, *others, **options):
        decoded.extend([files[path]] if path in files else [])
        return read(path, *others, **options)

    monkeypatch.setattr(images, "_read", counted)
    found = start_training(project, iterations=3, device="cpu")
    assert sorted(decoded) == sorted(project.cases), "for the plan, for training, for measuring and for predicting"
    start_training(project, iterations=3, device="cpu")
    assert sorted(decoded) == sorted(project.cases), "nor again in the next round"
    written = {path: path.read_bytes() for path in found.prediction("ball2").folder.iterdir()}
    predict_project(project, ["ball2"], device="cpu", found=found)
    assert decoded[len(files) :] == ["ball2"]
    assert {path: path.read_bytes() for path in found.prediction("ball2").folder.iterdir()} == written


def test_a_case_with_one_slice_is_trained_on_and_predicted_like_any_other(project, in_this_process, tmp_path):
    noise = np.random.default_rng(0).normal(0, 0.3, (1, 16, 16)).astype(np.float32)
    sitk.WriteImage(sitk.GetImageFromArray(noise), str(tmp_path / "slice.nii.gz"))
    project.add_cases([Case("slice", [str(tmp_path / "slice.nii.gz")])])
    found = start_training(project, iterations=8, device="cpu")
    assert wait(found).state == "finished", found.log_path.read_text(encoding="utf-8")
    assert sitk.ReadImage(str(found.prediction("slice").regions)).GetSize() == (16, 16, 1)


@pytest.mark.skipif(os.name == "nt", reason="file size limits are POSIX")
def test_a_checkpoint_that_does_not_fit_on_the_disk_fails_in_the_users_words(project):
    """A limit on the size of files stands for the full disk; with room again, training goes on."""
    with files_end_at(150_000):
        found = start_training(project, iterations=5, device="cpu")
    status = wait(found)
    assert status.state == "failed" and "File too large" in status.message and "checkpoints" in status.message
    assert not found.last_checkpoint_path.exists(), "no torn checkpoint is left"
    again = start_training(project, iterations=5, device="cpu")
    assert wait(again).state == "finished", again.log_path.read_text(encoding="utf-8")


LEAVES_SLOWLY = """
import sys, time
from pathlib import Path
from metassl.jobs.lock import TrainingLock
lock = TrainingLock(Path(sys.argv[1]))
lock.acquire("round 0001")
print("held", flush=True)
time.sleep(1)
lock.release()
"""


def test_a_job_that_has_said_its_last_word_is_waited_for_by_the_next(project):
    assert wait(start_training(project, iterations=3, device="cpu")).state == "finished"
    argv = [sys.executable, "-c", LEAVES_SLOWLY, str(project.path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as leaving:
        assert leaving.stdout.readline() == "held\n"
        found = start_training(project, iterations=3, device="cpu")
    status = wait(found)
    assert (found.number, status.state) == (2, "finished"), found.log_path.read_text(encoding="utf-8")


def test_a_project_without_labels_says_what_to_do(tmp_path):
    made = Project.create(tmp_path / "empty", "Empty", [LabelDefinition(1, "A")], ["MR"])
    with pytest.raises(ProjectError, match="no labelled case") as caught:
        start_training(made)
    assert caught.value.code is ErrorCode.NOTHING_LABELLED


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for PythonSlicer is a shell script")
def test_a_python_that_only_starts_the_real_one_trains_as_well(project, tmp_path, monkeypatch):
    launcher = tmp_path / "PythonSlicer"
    launcher.write_text(f'#!/bin/sh\n"{sys.executable}" "$@"\nexit $?\n', encoding="utf-8")
    launcher.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(launcher))
    found = start_training(project, iterations=3, device="cpu")
    status = wait(found)
    assert status.state == "finished", found.log_path.read_text(encoding="utf-8")
    assert read_events(found.events_path)[0].pid != JobRecord.read(found.job_path).pid


def test_a_round_is_not_gone_on_with_when_a_structure_has_left_the_project(project):
    found = start_training(project, iterations=400, device="cpu")
    wait(found, until=lambda status: trained(status) >= 1)
    found.stop_path.touch()
    assert wait(found).state == "paused"
    document = read_json(project.path / "project.json", "the project")
    document["labels"].append({"value": 4, "name": "Shell"})
    write_json(project.path / "project.json", document)
    assert wait(start_training(project)).state == "failed"
    assert "plan.json is for 1 structure, and the project has 2 now" in job_status(found).message


def test_a_project_whose_images_are_all_gone_names_the_cases_and_files(project):
    for case in project.cases:
        project.image_paths(case)[0].unlink()
    found = start_training(project, iterations=5, device="cpu")
    status = wait(found)
    assert status.state == "failed" and "no image could be read; case ball0: there is no file" in status.message
    failed = [event.case for event in read_events(found.events_path) if event.event == "case_failed"]
    assert "ball0" in failed and "ball2" in failed
