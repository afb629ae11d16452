"""The commands `new`, `label` and `status`: what they do, say and refuse."""

from __future__ import annotations

import json
import os

import pytest
from cli_output import only_line, run, run_json
from metassl.imaging import Geometry, write_array
from metassl.jobs import JobRecord, JobWriter
from metassl.project import Project


def test_new_makes_a_project_and_says_what_comes_next(decathlon, tmp_path, capsys):
    project = tmp_path / "a project"
    code, out, err = run(capsys, "new", project, "--from", decathlon, "--labelled", 2)
    assert (code, err) == (0, "")
    assert "6 cases" in out
    assert "case_0, case_1" in out
    assert out.splitlines()[-1] == f"next: metassl train '{project}'"


def test_new_as_json_is_one_object(decathlon, tmp_path, capsys):
    words = "--labelled", "none", "--validation", 2
    result = run_json(capsys, "new", tmp_path / "P", "--from", decathlon, *words)
    assert result["cases"] == 6
    assert result["labels"] == {"Front": 1, "Back": 2}
    assert result["labelled"] == []
    assert len(result["validation"]) == 2


def test_new_takes_the_labelled_cases_from_a_file(decathlon, tmp_path, capsys):
    (tmp_path / "names.txt").write_text("# the best ones\ncase_4\n\ncase_2\n", encoding="utf-8")
    chosen = ["--labelled-cases", tmp_path / "names.txt"]
    result = run_json(capsys, "new", tmp_path / "P", "--from", decathlon, *chosen)
    assert result["labelled"] == ["case_2", "case_4"]


@pytest.mark.parametrize("content", [None, "", "# nothing\n", b"\xff\xfe\x00\xd8"])
def test_a_useless_list_of_cases_is_refused(content, decathlon, tmp_path, capsys):
    names = tmp_path / "names.txt"
    if content is not None:
        names.write_bytes(content.encode() if isinstance(content, str) else content)
    words = ["new", tmp_path / "P", "--from", decathlon, "--labelled-cases", names]
    code, _, err = run(capsys, *words)
    assert code == 2
    assert str(names) in only_line(err)
    assert not (tmp_path / "P").exists()


def test_a_broken_image_is_a_warning_and_the_rest_go_on(decathlon, tmp_path, capsys):
    image = decathlon / "imagesTr" / "case_3.nii.gz"
    image.write_bytes(image.read_bytes()[:40])
    code, out, err = run(capsys, "new", tmp_path / "P", "--from", decathlon)
    assert code == 0
    assert only_line(err).startswith("warning: case case_3: ")
    assert "5 cases" in out


def test_label_takes_a_file_and_keeps_count(tiny_project, decathlon, capsys):
    file = decathlon / "labelsTr" / "case_5.nii.gz"
    first = run_json(capsys, "label", tiny_project.path, "case_5", file)
    again = run_json(capsys, "label", tiny_project.path, "case_5", file)
    assert first["state"] == "labelled"
    assert (first["changed"], again["changed"]) == (True, False)
    assert [case.id for case in tiny_project.labelled_cases()] == ["case_0", "case_1", "case_5"]


def test_a_label_for_a_predicted_case_is_a_correction(tiny_project, decathlon, capsys):
    tiny_project.mark_predicted(["case_5"])
    file = decathlon / "labelsTr" / "case_5.nii.gz"
    assert run_json(capsys, "label", tiny_project.path, "case_5", file)["state"] == "corrected"


def test_a_label_on_another_grid_is_refused(tiny_project, tmp_path, make_case, capsys):
    _, labels = make_case(5)
    grid = Geometry(labels.shape[::-1], (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    write_array(tmp_path / "moved.nrrd", labels, grid)
    code, _, err = run(capsys, "label", tiny_project.path, "case_5", tmp_path / "moved.nrrd")
    assert code == 2
    assert "case_5" in only_line(err)
    assert "moved.nrrd" in err


def test_status_of_a_new_project_counts_cases_and_says_train(tiny_project, capsys):
    result = run_json(capsys, "status", tiny_project.path)
    assert result["cases"]["pool"] == {"labelled": 2, "unlabelled": 3}
    assert result["cases"]["validation"] == {"labelled": 1}
    assert result["round"] is None
    assert result["next"][0]["command"] == f"metassl train {tiny_project.path}"


def test_status_of_a_project_without_labels_says_label(decathlon, tmp_path, capsys):
    run(capsys, "new", tmp_path / "P", "--from", decathlon, "--labelled", "none")
    steps = run_json(capsys, "status", tmp_path / "P")["next"]
    assert steps[0]["command"] == f"metassl label {tmp_path / 'P'} CASE FILE"


def finished_round(project: Project):
    """A round as a finished training leaves it, but for its model."""
    labels = {case.id: case.label_version for case in project.labelled_cases()}
    found = project.new_round({"config": {}, "labels": labels, "launcher": "local"})
    events = JobWriter(found, every_s=0.0)
    events.write("started", device="cpu", device_name="CPU (2 cores)", precision="bf16")
    events.write("plan", summary="1 x 1 x 1 mm · patch 32 x 32 x 32")
    events.write("stage", stage="training", total=9)
    dice = {"mean": 0.75, "per_class": {"Front": 0.7, "Back": 0.8}}
    events.write("validation", step=9, dice=dice)
    events.write("case_failed", case="case_4", file="x.nii", reason="case case_4: x.nii is torn")
    events.write("finished", seconds=61.0)
    entries = [
        {"case": name, "score": 1.0, "parts": {}, "reason": f"uncertainty in {name}"} for name in ("case_3", "case_5")
    ]
    ranking = {"schema_version": 1, "strategy": "discrepancy", "cases": entries}
    found.ranking_path.write_text(json.dumps(ranking), encoding="utf-8")
    return found


def test_status_tells_plan_validation_and_next_case(tiny_project, capsys):
    finished_round(tiny_project)
    code, out, _ = run(capsys, "status", tiny_project.path)
    assert code == 0
    assert "plan        1 x 1 x 1 mm · patch 32 x 32 x 32" in out
    assert "validation  Dice 0.750 (Front 0.700, Back 0.800)" in out
    assert "left out    case case_4: x.nii is torn" in out
    assert "next case   case_3: uncertainty in case_3" in out
    assert f"metassl label {tiny_project.path} case_3 FILE" in out


def test_after_a_correction_the_next_case_is_another_and_training_is_due(tiny_project, decathlon, capsys):
    finished_round(tiny_project)
    run(capsys, "label", tiny_project.path, "case_3", decathlon / "labelsTr" / "case_3.nii.gz")
    result = run_json(capsys, "status", tiny_project.path)
    assert result["next_case"]["case"] == "case_5"
    assert result["next"][0]["command"] == f"metassl train {tiny_project.path}"
    assert "1 label more" in result["next"][0]["why"]


def test_a_job_that_was_killed_can_go_on(tiny_project, capsys):
    found = tiny_project.new_round({"config": {}, "labels": {}})
    JobRecord("local", 2**22 + 1, "long ago", JobRecord.of(os.getpid()).host).write(found.job_path)
    writer = JobWriter(found, every_s=0.0)
    writer.write("started", device="cpu")
    document = json.loads(found.job_path.read_text(encoding="utf-8"))
    found.job_path.write_text(json.dumps({**document, "launched": "2020-01-01T00:00:00+00:00"}), encoding="utf-8")
    result = run_json(capsys, "status", tiny_project.path)
    assert result["round"]["state"] == "interrupted"
    assert result["next"][0] == {
        "command": f"metassl train {tiny_project.path}",
        "why": "go on where it stopped",
    }
