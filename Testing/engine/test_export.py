"""Labels and predictions for other programs: right voxels, right grid, nothing overwritten."""

from __future__ import annotations

import csv
import errno
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from faults.disk_full_shim import FailingDisk
from metassl.cli import main
from metassl.exports import export_project
from metassl.files import ErrorCode, ProjectError, code_of, write_json
from metassl.imaging import Geometry, read_labels, write_array
from metassl.imaging.label_tables import read_label_description
from metassl.project import Case, LabelDefinition, PredictionPaths, Project


def predict(project, found, case_id: str, array, geometry) -> PredictionPaths:
    """A complete prediction, as training leaves it."""
    paths = found.prediction(case_id)
    paths.folder.mkdir(parents=True)
    write_array(paths.segmentation, array, geometry)
    write_json(paths.summary, {"case": case_id, "uncertainty": {"US": 0.1, "DC": 0.02, "DS": 0.03}})
    project.mark_predicted([case_id])
    return paths


@pytest.fixture
def predicted(tiny_project, make_case, make_grid):
    """The six cases: case_0 to case_2 labelled, case_3 and case_4 predicted in round 1, case_5 untouched."""
    found = tiny_project.new_round({"config": {}, "labels": {}})
    for number in (3, 4):
        predict(tiny_project, found, f"case_{number}", make_case(number)[1], make_grid())
    return tiny_project


def table(path) -> list[dict]:
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_files_hold_the_same_voxels_on_the_same_grid(predicted, tmp_path, make_case, make_grid):
    result = export_project(predicted, tmp_path / "out")
    assert result.labels == ["case_0", "case_1", "case_2"]
    assert result.predictions == ["case_3", "case_4"]
    assert result.failed == {}
    for kind, case_id, number in (("labels", "case_1", 1), ("predictions", "case_4", 4)):
        array, geometry = read_labels(tmp_path / "out" / kind / f"{case_id}.nii.gz", case_id)
        assert np.array_equal(array, make_case(number)[1])
        assert geometry.difference(make_grid()) == ""


def test_voxels_that_nobody_annotated_stay_255(predicted, tmp_path, make_case, make_grid):
    array = make_case(5)[1]
    array[:4] = 255
    predicted.add_label("case_5", (array, make_grid()))
    export_project(predicted, tmp_path / "out", ("labels",))
    assert np.array_equal(read_labels(tmp_path / "out" / "labels" / "case_5.nii.gz", "case_5")[0], array)
    values = {row["value"]: row["name"] for row in table(tmp_path / "out" / "structures.csv")}
    assert values == {"0": "background", "1": "Front", "2": "Back", "255": "not annotated"}


def test_the_table_tells_state_uncertainty_and_volumes(predicted, tmp_path, make_case, make_grid):
    predicted.update_case("case_0", seconds_spent=61.25, dice=0.5)
    export_project(predicted, tmp_path / "out")
    rows = {row["case"]: row for row in table(tmp_path / "out" / "summary.csv")}
    assert list(rows) == ["case_0", "case_1", "case_2", "case_3", "case_4"]
    assert (rows["case_0"]["state"], rows["case_0"]["seconds_spent"]) == ("labelled", "61.2")
    assert rows["case_0"]["dice_of_prediction"] == "0.5000"
    assert rows["case_2"]["split"] == "validation"
    assert (rows["case_3"]["round"], rows["case_3"]["uncertainty_US"]) == ("1", "0.1000")
    ml = np.count_nonzero(make_case(3)[1] == 1) * make_grid().voxel_ml
    assert float(rows["case_3"]["prediction_ml Front"]) == pytest.approx(ml, abs=1e-3)
    assert rows["case_3"]["label_ml Front"] == ""


def test_a_volume_of_some_thousandths_of_a_millimetre_is_not_0_in_the_table(tmp_path):
    grid = Geometry((6, 6, 6), (0.001,) * 3, (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
    label = np.zeros((6, 6, 6), np.uint8)
    label[1:3, 1:3, 1:3] = 1
    (tmp_path / "in").mkdir()
    write_array(tmp_path / "in" / "a.nrrd", np.random.default_rng(0).normal(size=(6, 6, 6)), grid)
    with Project.making(tmp_path / "p", "p", [LabelDefinition(1, "Cell")], ["image"]) as project:
        project.add_cases([Case("a", [str(tmp_path / "in" / "a.nrrd")])])
    project.add_label("a", (label, grid))
    export_project(project, tmp_path / "out", ("labels",))
    assert float(table(tmp_path / "out" / "summary.csv")[0]["label_ml Cell"]) == pytest.approx(
        8 * 1e-9 / 1000, rel=1e-5
    )
    again = tmp_path / "out" / "labels" / "a.nii.gz"
    assert project.add_label("a", again) == project.case("a").label_version


def test_the_exported_prediction_is_that_of_the_round_under_review(predicted, tmp_path, make_case, make_grid):
    second = predicted.new_round({"config": {}, "labels": {}})
    predict(predicted, second, "case_3", np.zeros_like(make_case(3)[1]), make_grid())
    export_project(predicted, tmp_path / "newest")
    predicted.update_settings(shown_round=1)
    export_project(predicted, tmp_path / "chosen")
    file = "predictions/case_3.nii.gz"
    assert not read_labels(tmp_path / "newest" / file, "case_3")[0].any()
    assert np.array_equal(read_labels(tmp_path / "chosen" / file, "case_3")[0], make_case(3)[1])


def test_nothing_is_overwritten(predicted, tmp_path):
    export_project(predicted, tmp_path / "out")
    before = (tmp_path / "out" / "summary.csv").read_bytes()
    predicted.update_case("case_0", seconds_spent=5.0)
    with pytest.raises(ProjectError, match="not empty"):
        export_project(predicted, tmp_path / "out")
    assert (tmp_path / "out" / "summary.csv").read_bytes() == before


def test_a_project_with_nothing_to_export_makes_no_folder(tiny_project, tmp_path):
    with pytest.raises(ProjectError, match="no predictions to export"):
        export_project(tiny_project, tmp_path / "out", ("predictions",))
    assert not (tmp_path / "out").exists()


def test_a_damaged_case_is_named_and_the_rest_go_on(predicted, tmp_path):
    predicted.accepted_label("case_1").write_bytes(b"NRRD0004\nnonsense")
    seen = []
    result = export_project(predicted, tmp_path / "out", report=lambda *step: seen.append(step))
    assert result.labels == ["case_0", "case_2"]
    assert list(result.failed) == ["case_1"]
    assert seen[-1] == (5, 5, "case_4")
    rows = {row["case"]: row for row in table(tmp_path / "out" / "summary.csv")}
    assert "case_1" in rows["case_1"]["problem"]


def test_where_no_case_can_be_read_there_is_no_folder(predicted, tmp_path):
    for case in ("case_0", "case_1", "case_2"):
        predicted.accepted_label(case).write_bytes(b"NRRD0004\nnonsense")
    with pytest.raises(ProjectError, match="nothing could be exported: case case_0"):
        export_project(predicted, tmp_path / "out", ("labels",))
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".*"))


def test_a_full_disk_ends_the_export_in_a_sentence_and_leaves_nothing(predicted, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    endless = FailingDisk(disk, 1000, errno.ENOSPC)
    with endless.failing():
        export_project(predicted, disk / "whole")
    for step in (1, 8, 20, endless.count):
        failing = FailingDisk(disk, step, errno.ENOSPC)
        with failing.failing(), pytest.raises(ProjectError, match="the disk is full: cannot write") as told:
            export_project(predicted, disk / "out")
        assert code_of(told.value) is ErrorCode.DISK_FULL
        assert f"cannot write {disk / 'out'}" in str(told.value)
        assert [path.name for path in disk.iterdir()] == ["whole"]


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX")
def test_a_killed_export_leaves_nothing_that_looks_whole_and_the_next_one_tells_of_the_rest(predicted, tmp_path):
    code = (
        "import os, sys; from metassl.exports import export_project; from metassl.project import Project\n"
        "export_project(Project.open(sys.argv[1]), sys.argv[2], report=lambda *_: os.kill(os.getpid(), 9))"
    )
    done = subprocess.run([sys.executable, "-c", code, predicted.path, tmp_path / "out"])
    assert done.returncode == -9
    assert not (tmp_path / "out").exists()
    (left,) = tmp_path.glob(".tmp-*-out")
    assert list(left.rglob("*.nii.gz")) != []
    result = export_project(predicted, tmp_path / "out")
    assert [str(left) in note and "remove it" in note for note in result.notes] == [True]
    assert len(result.labels) == 3 and left.is_dir()


def test_an_export_that_is_given_up_leaves_nothing(predicted, tmp_path):
    def given_up(done, total, case):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_project(predicted, tmp_path / "out", report=given_up)
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".*"))


def test_an_empty_folder_is_filled_but_not_the_one_that_one_is_in(predicted, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "out")
    assert export_project(predicted, tmp_path / "link").folder == tmp_path / "out"
    assert (tmp_path / "link" / "summary.csv").is_file()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(ProjectError, match="choose one inside it, such as"):
        export_project(predicted, ".")
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ProjectError, match="is a file"):
        export_project(predicted, tmp_path / "file")


def test_what_somebody_put_there_meanwhile_stays(predicted, tmp_path):
    def meddle(done, total, case):
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "out" / "mine").write_text("mine", encoding="utf-8")

    with pytest.raises(ProjectError, match="not empty"):
        export_project(predicted, tmp_path / "out", report=meddle)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


def test_a_format_is_not_given_what_it_does_not_take(predicted, tmp_path):
    with pytest.raises(ProjectError, match="cannot export predictions: nnunet takes labels"):
        export_project(predicted, tmp_path / "out", ("predictions",), format="nnunet")


def test_a_structure_that_a_label_says_nothing_of_is_told(predicted, tmp_path, make_case, make_grid):
    predicted.add_label("case_0", (np.minimum(make_case(0)[1], 1), make_grid()), coverage=[1])
    notes = export_project(predicted, tmp_path / "out").notes
    assert notes == ["case case_0: its label says nothing of Back, which its background may hold"]


def test_itk_snaps_description_says_names_and_colours(predicted, tmp_path):
    export_project(predicted, tmp_path / "out")
    looks = read_label_description(tmp_path / "out" / "labels.txt")
    assert [(value, name) for value, name, _, _ in looks] == [(1, "Front"), (2, "Back"), (255, "not annotated")]
    colors = ["#" + "".join(f"{round(255 * part):02X}" for part in color) for _, _, color, _ in looks[:2]]
    assert colors == [label.color for label in predicted.labels]


def test_a_summary_without_uncertainty_is_no_obstacle(predicted, tmp_path):
    path = predicted.round(1).prediction("case_3").summary
    path.write_text(json.dumps({"schema_version": 1, "uncertainty": {"XX": 1}}), encoding="utf-8")
    result = export_project(predicted, tmp_path / "out")
    assert result.failed == {}
    assert table(tmp_path / "out" / "summary.csv")[3]["uncertainty_US"] == ""


def test_a_damaged_summary_is_named_and_the_rest_go_on(predicted, tmp_path):
    path = predicted.round(1).prediction("case_3").summary
    path.write_text(json.dumps({"schema_version": 1, "uncertainty": {"US": "much"}}), encoding="utf-8")
    result = export_project(predicted, tmp_path / "out")
    assert list(result.failed) == ["case_3"]
    assert str(path) in result.failed["case_3"] and "predict the case again" in result.failed["case_3"]


def test_the_command_tells_what_it_wrote(predicted, tmp_path, capsys):
    assert main(["export", str(predicted.path), str(tmp_path / "out"), "--only", "labels", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["labels"] == ["case_0", "case_1", "case_2"]
    assert told["predictions"] == []
    assert not (tmp_path / "out" / "predictions").exists()
    assert main(["export", str(predicted.path), str(tmp_path / "out")]) == 2
    assert "not empty" in capsys.readouterr().err
