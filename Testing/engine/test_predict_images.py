"""Images that belong to no project: what `metassl predict --images` takes, writes, leaves alone and tells."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from metassl.cli import main
from metassl.files import ProjectError
from metassl.imaging import Geometry, read_image, read_labels, write_array
from metassl.inference.outside import ModelForImages, predict_images
from metassl.inference.predictor import predict_image
from metassl.intake.images import find_images
from metassl.project import Project
from random_model import add_round, random_model

STRAIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


@pytest.fixture
def model(tiny_project):
    """The model of round 1."""
    made = random_model(tiny_project)
    add_round(tiny_project, made)
    return made


@pytest.fixture
def source(tiny_project, model):
    return ModelForImages.of_round(tiny_project, tiny_project.round(1), "cpu")


@pytest.fixture
def scans(tmp_path, make_case, make_grid):
    """A folder of three images, a, b and c."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for number, name in enumerate("abc"):
        write_array(folder / f"{name}.nii.gz", make_case(10 + number)[0], make_grid())
    return folder


def files_in(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def call(capsys, *words: object) -> tuple[int, dict, str]:
    """The exit code, the JSON object and what was said of a command."""
    capsys.readouterr()
    code = main([str(word) for word in (*words, "--device", "cpu", "--json")])
    printed = capsys.readouterr()
    return code, json.loads(printed.out), printed.err


def test_a_file_a_folder_and_a_table_give_the_labels_on_the_grids_of_the_images(source, model, scans, tmp_path):
    folder = tmp_path / "more"
    shutil.copytree(scans, folder)
    for name in "abc":
        (folder / f"{name}.nii.gz").rename(folder / f"more_{name}.nii.gz")
    (tmp_path / "table.csv").write_text("case,image\nlisted,scans/b.nii.gz\n", encoding="utf-8")
    done = predict_images(source, [scans / "a.nii.gz", folder, tmp_path / "table.csv"], tmp_path / "out")
    assert list(done.predicted) == ["more_a", "more_b", "more_c", "listed", "a"]
    assert files_in(tmp_path / "out") == [f"{name}.nii.gz" for name in ("a", "listed", "more_a", "more_b", "more_c")]
    image = read_image([scans / "b.nii.gz"], "b")
    expected = predict_image(model, image, "b").segmentation
    assert len(np.unique(expected)) > 1
    for name in ("listed", "more_b"):
        array, grid = read_labels(tmp_path / "out" / f"{name}.nii.gz", name)
        assert np.array_equal(array, expected) and grid.difference(image.geometry) == ""


def test_maps_are_written_when_they_are_asked_for(tiny_project, scans, tmp_path):
    add_round(tiny_project, random_model(tiny_project, learnt=True))
    source = ModelForImages.of_round(tiny_project, tiny_project.round(1), "cpu")
    predict_images(source, [scans / "a.nii.gz"], tmp_path / "out", maps=True)
    kinds = ["", "_error_probability", "_regions", "_uncertainty"]
    assert files_in(tmp_path / "out") == sorted(f"a{kind}.nii.gz" for kind in kinds)
    regions = read_labels(tmp_path / "out" / "a_regions.nii.gz", "a")[0]
    assert set(np.unique(regions)) <= {1, 2, 3, 4}


def test_predictions_inside_the_folder_of_the_images_are_not_taken_for_images(source, scans):
    predict_images(source, [scans], scans / "predicted")
    again = predict_images(source, [scans], scans / "predicted")
    assert (again.predicted, list(again.kept)) == ({}, ["a", "b", "c"])


def test_what_is_there_stays_is_told_and_is_replaced_when_that_is_asked_for(
    tiny_project, model, scans, tmp_path, capsys
):
    words = ("predict", tiny_project.path, "--images", scans, "--out", tmp_path / "out")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b.nii.gz").write_bytes(b"mine")
    code, told, said = call(capsys, *words)
    assert (code, list(told["predicted"]), list(told["kept"])) == (1, ["a", "c"], ["b"])
    assert "there already: b" in said and "--overwrite" in said
    assert (tmp_path / "out" / "b.nii.gz").read_bytes() == b"mine"
    code, told, _ = call(capsys, *words, "--overwrite")
    assert (code, list(told["predicted"]), told["kept"]) == (0, ["a", "b", "c"], {})
    assert read_labels(tmp_path / "out" / "b.nii.gz", "b")[0].shape


def test_an_image_that_fails_is_named_and_the_rest_go_on(tiny_project, model, scans, tmp_path, capsys):
    (scans / "b.nii.gz").write_bytes((scans / "b.nii.gz").read_bytes()[:500])
    (scans / "notes.txt").write_text("of no use", encoding="utf-8")
    code, told, said = call(capsys, "predict", tiny_project.path, "--images", scans, "--out", tmp_path / "out")
    assert (code, list(told["predicted"]), list(told["failed"])) == (1, ["a", "c"], ["b"])
    assert str(scans / "b.nii.gz") in told["failed"]["b"] and "1 not predicted, for the reasons above: b" in said
    assert told["left_out"] == [{"file": str(scans / "notes.txt"), "reason": "no image"}]
    assert files_in(tmp_path / "out") == ["a.nii.gz", "c.nii.gz"]


def test_the_cases_of_the_project_stay_as_they_are(tiny_project, model, tmp_path, decathlon, capsys):
    before = {path: path.read_bytes() for path in tiny_project.path.rglob("*") if path.is_file()}
    code, told, _ = call(
        capsys, "predict", tiny_project.path, "--images", decathlon / "imagesTr", "--out", tmp_path / "out", "--maps"
    )
    assert code == 0 and len(told["predicted"]) == 6
    assert {path: path.read_bytes() for path in tiny_project.path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("where", ["scans", "project/labels", "file"])
def test_a_place_where_predictions_could_do_harm_is_refused(where, source, scans, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    before = files_in(scans)
    with pytest.raises(ProjectError, match="choose"):
        predict_images(source, [scans], tmp_path / where, overwrite=True)
    assert files_in(scans) == before


def test_a_case_that_is_called_like_the_map_of_another_is_refused_with_maps_alone(source, scans, tmp_path):
    (scans / "b.nii.gz").rename(scans / "a_regions.nii.gz")
    with pytest.raises(ProjectError, match="would get the same name"):
        predict_images(source, [scans], tmp_path / "out", maps=True)
    assert not (tmp_path / "out").exists()
    assert len(predict_images(source, [scans], tmp_path / "out").predicted) == 3


def test_the_model_is_a_projects_or_that_of_one_of_its_rounds(tiny_project, model, scans, tmp_path, capsys):
    add_round(tiny_project, random_model(tiny_project, seed=1))
    image = read_image([scans / "a.nii.gz"], "a")
    for place, made in ((tiny_project.path, random_model(tiny_project, seed=1)), (tiny_project.round(1).path, model)):
        out = tmp_path / f"by_{place.name}"
        code, told, _ = call(capsys, "predict", place, "--images", scans / "a.nii.gz", "--out", out)
        assert code == 0 and ("round 0001" in told["model"]) == (made is model)
        assert np.array_equal(read_labels(out / "a.nii.gz", "a")[0], predict_image(made, image, "a").segmentation)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["scans", "--images", "scans", "--out", "out"], "neither a project nor a round of one nor a bundle"),
        (["nowhere", "--images", "scans", "--out", "out"], "there is no project folder"),
        (["project/rounds/0002"], "no finished model"),
        (["project", "--maps"], "--maps and --overwrite go with --images"),
        (["project/rounds/0002", "--images", "scans", "--out", "out"], "no finished model"),
        (["project", "--images", "scans", "nothing", "--out", "out"], "there is no folder nothing"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    words, told, tiny_project, model, scans, tmp_path, monkeypatch, capsys
):
    tiny_project.new_round({"config": {}, "labels": {}})
    monkeypatch.chdir(tmp_path)
    assert main(["predict", *words]) == 2
    printed = capsys.readouterr()
    assert told in printed.err.splitlines()[-1] and printed.out == "" and not (tmp_path / "out").exists()


# Several channels


@pytest.fixture
def patients(tmp_path, make_case):
    """Two folders of patients with the channels flair, t1 and t2, which differ in their size of voxels' values."""
    grid = Geometry((12, 14, 10), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), STRAIGHT)
    for number in range(2):
        for place, name in enumerate(("flair", "t1", "t2")):
            (tmp_path / "patients" / f"p{number}").mkdir(parents=True, exist_ok=True)
            image = make_case(3 * number + place)[0]
            write_array(tmp_path / "patients" / f"p{number}" / f"{name}.nii.gz", image, grid)
    return tmp_path / "patients"


def test_channels_are_put_into_the_order_of_the_model_by_their_names(patients):
    found = find_images([patients], ["T2", "flair"])
    assert [[path.name for path in case.images] for case in found.cases] == [["t2.nii.gz", "flair.nii.gz"]] * 2
    assert found.notes == ["the model was trained without t1: not used"]


def test_channels_of_other_names_are_taken_in_their_order_and_told(patients):
    found = find_images([patients], ["A", "B", "C"])
    assert [path.name for path in found.cases[0].images] == ["flair.nii.gz", "t1.nii.gz", "t2.nii.gz"]
    assert "the model's channels are A, B, C" in found.notes[0] and "flair, t1, t2" in found.notes[0]


def test_files_of_several_channels_find_each_other_when_they_are_named_one_by_one(patients, tmp_path):
    flat = tmp_path / "flat"
    flat.mkdir()
    for place, name in enumerate(("t1", "t2")):
        for number in range(2):
            shutil.copy(patients / f"p{number}" / f"{name}.nii.gz", flat / f"p{number}_000{place}.nii.gz")
    found = find_images(sorted(flat.iterdir()), ["t1", "t2"])
    assert [(case.id, len(case.images)) for case in found.cases] == [("p0", 2), ("p1", 2)]


def test_two_channels_give_one_prediction_and_a_missing_one_is_told(patients, tmp_path, two_labels):
    project = Project.create(tmp_path / "two", "two", two_labels, ["t2", "t1"])
    add_round(project, random_model(project))
    source = ModelForImages.of_round(project, project.round(1), "cpu")
    (patients / "p1" / "t2.nii.gz").unlink()
    for extra in range(2, 5):
        shutil.copytree(patients / "p0", patients / f"p{extra}")
    done = predict_images(source, [patients], tmp_path / "out")
    assert list(done.predicted) == ["p0", "p2", "p3", "p4"]
    assert {reason for path, reason in done.left_out if path.parent.name == "p1"} == {
        "the case p1 has no t2, which most cases have"
    }
    single = predict_images(source, [patients / "p0" / "t1.nii.gz"], tmp_path / "other")
    assert "give the same channels in the same order" in single.failed["t1"]


def test_two_cases_of_one_name_are_refused_and_one_that_is_named_twice_is_predicted_once(scans, tmp_path):
    assert len(find_images([scans, scans / "a.nii.gz"]).cases) == 3
    shutil.copytree(scans, tmp_path / "others")
    with pytest.raises(ProjectError, match="two cases would get the id a"):
        find_images([scans, tmp_path / "others"])
