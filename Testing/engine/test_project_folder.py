"""The project as a whole: cases, annotations and rounds, also from several processes at once."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import metassl
import numpy as np
import pytest
import SimpleITK as sitk
from machine import PATIENCE_S
from metassl.files import BusyError, LabelError, ProjectError, write_json
from metassl.files import atomic as files_module
from metassl.imaging import IGNORE, Geometry, read_labels, write_array
from metassl.project import Case, Project

ENGINE = str(Path(metassl.__file__).parents[1])


def run_together(count: int, code: str, *arguments: str) -> list[str]:
    """Run the same code in `count` processes at once; each gets its number as first argument."""
    gate = "import sys; sys.stdin.readline();"
    environment = {**os.environ, "PYTHONPATH": ENGINE}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", f"from metassl.project import *; {gate}\n{code}", str(n)] + list(arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for n in range(count)
    ]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=PATIENCE_S)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * count
    return outputs


def all_files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_new_project_opens_again_with_what_it_was_given(tmp_path, two_labels):
    Project.create(tmp_path / "p", "Liver study", two_labels[::-1], ["T1", "T2"])
    project = Project.open(tmp_path / "p")
    assert project.name == "Liver study" and project.channels == ["T1", "T2"]
    assert project.labels == two_labels and project.values == [0, 1, 2]
    assert project.cases == {} and project.rounds() == [] and project.latest_round() is None


def test_a_project_is_never_made_in_a_folder_that_holds_something(tmp_path, two_labels):
    (tmp_path / "thesis.txt").write_text("x", encoding="utf-8")
    with pytest.raises(ProjectError, match="not empty"):
        Project.create(tmp_path, "p", two_labels, ["T1"])
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_opening_what_is_no_project_is_explained(tmp_path):
    with pytest.raises(ProjectError, match="no project folder"):
        Project.open(tmp_path / "nowhere")
    with pytest.raises(ProjectError, match="not a MetaSSL project"):
        Project.open(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"name": "p", "channels": ["a"], "labels": []},
        {"name": "p", "channels": [], "labels": [{"value": 1, "name": "a"}]},
        {"name": "p", "channels": ["a"], "labels": [{"value": 300, "name": "a"}]},
        {"name": "p", "channels": ["a"], "labels": {"1": "a"}},
        {"name": 3, "channels": ["a"], "labels": [{"value": 1, "name": "a"}]},
        {"name": "p", "channels": ["a"], "labels": [{"value": 1, "name": "a"}], "created": 7},
    ],
)
def test_a_damaged_project_file_is_refused(tmp_path, content):
    write_json(tmp_path / "project.json", content)
    with pytest.raises((ProjectError, LabelError)):
        Project.open(tmp_path)


def test_a_project_of_a_newer_schema_is_refused(tiny_project):
    path = tiny_project.path / "project.json"
    path.write_text(
        json.dumps({**json.loads(path.read_text(encoding="utf-8")), "schema_version": 99}), encoding="utf-8"
    )
    with pytest.raises(ProjectError, match="update MetaSSL"):
        Project.open(tiny_project.path)


def test_a_case_list_that_points_outside_is_refused(tiny_project):
    path = tiny_project.path / "cases.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["cases"][0]["id"] = "../../evil"
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ProjectError, match="cannot be used"):
        _ = Project.open(tiny_project.path).cases


def test_a_project_where_a_file_lies_cannot_be_made(tmp_path, two_labels):
    (tmp_path / "p").write_text("I am a file", encoding="utf-8")
    with pytest.raises(ProjectError, match="cannot write"):
        Project.create(tmp_path / "p", "p", two_labels, ["T1"])


def test_an_unwritable_project_says_so_and_stays_as_it_was(tiny_project):
    chattr = shutil.which("chattr")
    if chattr is None:
        pytest.skip("there is no chattr to make a folder unwritable for every user")
    before = all_files(tiny_project.path)
    frozen = [tiny_project.path, tiny_project.path / ".lock"]
    if subprocess.run([chattr, "+i", *frozen], capture_output=True).returncode:
        subprocess.run([chattr, "-i", *frozen], capture_output=True)
        pytest.skip("this disk or user cannot make a folder unwritable")
    try:
        with pytest.raises(ProjectError, match="cannot write .* no permission|read-only"):
            tiny_project.update_case("case_3", state="in_progress")
    finally:
        subprocess.run([chattr, "-i", *frozen], check=True)
    assert all_files(tiny_project.path) == before


def test_images_inside_the_project_are_kept_relative_and_others_absolute(tiny_project, tmp_path):
    inside = tiny_project.path / "images" / "a.nii"
    outside = tmp_path / "elsewhere" / "b.nii"
    tiny_project.add_cases([Case("a", [str(inside)]), Case("b", [str(outside)])])
    assert tiny_project.case("a").images == ["images/a.nii"]
    assert tiny_project.image_paths("a") == [inside]
    assert tiny_project.case("b").images == [str(outside)]
    moved = tiny_project.path.rename(tmp_path / "moved")
    assert Project.open(moved).image_paths("a") == [moved / "images" / "a.nii"]


def test_a_case_id_is_taken_once_whatever_its_capitals(tiny_project):
    with pytest.raises(ProjectError, match="two cases of the id CASE_0"):
        tiny_project.add_cases([Case("new", ["n.nii"]), Case("CASE_0", ["x.nii"])])
    assert "new" not in tiny_project.cases


def test_a_change_to_a_case_is_checked_dated_and_kept(tiny_project):
    before = tiny_project.case("case_4")
    changed = tiny_project.update_case("case_4", state="in_progress", seconds_spent=30.0)
    assert changed.updated > before.updated
    assert Project.open(tiny_project.path).case("case_4") == changed
    for changes in ({"state": "finished"}, {"colour": "red"}, {"id": "other"}):
        with pytest.raises(ProjectError):
            tiny_project.update_case("case_4", **changes)
    with pytest.raises(ProjectError, match="no case 'nobody'"):
        tiny_project.update_case("nobody", state="in_progress")
    assert tiny_project.case("case_4") == changed


def test_a_case_handed_out_is_a_copy(tiny_project):
    tiny_project.cases["case_4"].state = "rejected"
    assert tiny_project.case("case_4").state == "unlabelled"


def test_each_case_is_in_the_one_group_it_belongs_to(tiny_project):
    tiny_project.update_case("case_5", split="test")
    tiny_project.update_case("case_4", state="rejected")
    groups = [
        tiny_project.labelled_cases(),
        tiny_project.validation_cases(),
        tiny_project.unlabelled_cases(),
        tiny_project.test_cases(),
    ]
    names = [[case.id for case in group] for group in groups]
    assert names == [["case_0", "case_1"], ["case_2"], ["case_3", "case_4"], ["case_5"]]


def test_a_prediction_never_takes_back_what_the_user_did_meanwhile(tiny_project):
    tiny_project.update_case("case_4", state="in_progress")
    assert tiny_project.mark_predicted(["case_0", "case_3", "case_4"]) == ["case_3"]
    states = [tiny_project.case(f"case_{n}").state for n in (0, 3, 4)]
    assert states == ["labelled", "predicted", "in_progress"]


def test_settings_are_changed_one_by_one(tiny_project):
    tiny_project.update_settings(strategy="entropy", cache_bytes=5)
    Project.open(tiny_project.path).update_settings(strategy=None, mirror=[0])
    assert Project.open(tiny_project.path).settings == {"cache_bytes": 5, "mirror": [0]}
    assert Project.open(tiny_project.path).labels == tiny_project.labels


WRONG_SETTINGS = {
    "strategy": (3, ["entropy"]),
    "region_map": ("Official", 1, ["official"], {}),
    "cache_bytes": (-1, 1.5, True, "5", 2**60),
    "mirror_axes": (0, "012", [3], [-1], [True], [0.0], {}),
    "shown_round": (-1, "1", 1.0, True, [1]),
    "start_round": (-1, "1", 1.0, True, [1]),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, some in WRONG_SETTINGS.items() for value in some])
def test_a_setting_that_cannot_be_used_is_neither_written_nor_read(tiny_project, name, value):
    file = tiny_project.path / "project.json"
    before = file.read_text("utf-8")
    with pytest.raises(ProjectError, match=f"the setting '{name}' in .*project.json is .*: it must be"):
        tiny_project.update_settings(**{name: value})
    assert file.read_text("utf-8") == before
    file.write_text(json.dumps({**json.loads(before), "settings": {name: value}}), "utf-8")
    for read in (lambda: Project.open(tiny_project.path), lambda: tiny_project.settings):
        with pytest.raises(ProjectError, match=f"the setting '{name}'"):
            read()


def test_a_setting_that_is_null_is_not_there(tiny_project):
    file = tiny_project.path / "project.json"
    settings = {**dict.fromkeys(WRONG_SETTINGS), "of_a_later_version": {"a": 1}}
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), "settings": settings}), "utf-8")
    assert Project.open(tiny_project.path).settings == {"of_a_later_version": {"a": 1}}


def test_an_annotation_comes_back_on_the_grid_of_its_image(tiny_project, make_case, make_grid):
    array, geometry = tiny_project.read_label("case_0")
    assert np.array_equal(array, make_case(0)[1]) and array.dtype == np.uint8
    assert geometry.difference(make_grid()) == ""


def test_equal_annotations_have_equal_versions_and_others_do_not(tiny_project, make_case, tmp_path):
    image, labels = make_case(3)
    _, grid = tiny_project.read_label("case_0")
    first = tiny_project.add_label("case_3", (labels, grid))
    write_array(tmp_path / "same.mha", labels, grid)
    assert tiny_project.add_label("case_3", tmp_path / "same.mha") == first
    labels[5, 5, 5] = IGNORE
    second = tiny_project.add_label("case_3", (labels, grid), state="corrected")
    assert second != first
    case = tiny_project.case("case_3")
    assert (case.state, case.label_version) == ("corrected", second)


def test_every_former_annotation_is_kept(tiny_project, make_case):
    _, labels = make_case(3)
    old, grid = tiny_project.read_label("case_0")
    first = tiny_project.case("case_0").label_version
    labels[:2] = 1
    tiny_project.add_label("case_0", (labels, grid))
    assert np.array_equal(tiny_project.read_label("case_0")[0], labels)
    assert np.array_equal(tiny_project.read_label("case_0", first)[0], old)
    with pytest.raises(LabelError, match="no annotation of version"):
        tiny_project.read_label("case_0", "0" * 64)
    with pytest.raises(LabelError, match="not a label version"):
        tiny_project.read_label("case_0", "../../../etc/passwd")
    with pytest.raises(LabelError, match="has no annotation"):
        tiny_project.read_label("case_4")


def refused(project: Project, array, grid, complaint: str, **options) -> None:
    before = all_files(project.path)
    with pytest.raises(LabelError, match=complaint) as caught:
        project.add_label("case_3", (array, grid), **options)
    assert "case_3" in str(caught.value) and "\n" not in str(caught.value)
    assert all_files(project.path) == before


def test_a_value_outside_the_schema_is_refused_and_named(tiny_project, make_case, make_grid):
    labels = make_case(3)[1]
    labels[0, 0, :2] = (7, 9)
    refused(tiny_project, labels, make_grid(), r"holds the values 7, 9, .*1=Front, 2=Back")


def test_an_empty_annotation_is_refused_unless_it_is_meant(tiny_project, make_grid):
    grid = make_grid()
    empty = np.zeros(grid.shape_zyx, np.uint8)
    refused(tiny_project, empty, grid, "is empty")
    partly = empty.copy()
    partly[3:] = IGNORE
    refused(tiny_project, partly, grid, "is empty")
    tiny_project.add_label("case_3", (empty, grid), allow_empty=True)
    assert tiny_project.case("case_3").is_labelled


def test_an_annotation_of_nothing_but_255_is_always_refused(tiny_project, make_grid):
    nothing = np.full(make_grid().shape_zyx, IGNORE, np.uint8)
    refused(tiny_project, nothing, make_grid(), "every voxel is 255", allow_empty=True)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"spacing_xyz": (2.0, 2.0, 2.0)}, "spacing 2x2x2 against 1x1.25x2.5 mm"),
        ({"origin_xyz": (0.0, 0.0, 0.0)}, "origin"),
        ({"direction": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)}, "direction"),
    ],
)
def test_an_annotation_on_another_grid_is_refused(tiny_project, make_case, make_grid, change, complaint):
    grid = Geometry(**{**make_grid().__dict__, **change})
    refused(tiny_project, make_case(3)[1], grid, complaint)


def test_an_annotation_of_another_size_is_refused(tiny_project, make_case, make_grid):
    labels = make_case(3)[1][:-1]
    refused(tiny_project, labels, make_grid(labels.shape), "size 12x14x9 against 12x14x10")


def test_a_full_disk_while_labelling_leaves_the_former_annotation(tiny_project, make_case, make_grid, monkeypatch):
    before = all_files(tiny_project.path)

    def full_disk(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files_module.os, "fsync", full_disk)
    with pytest.raises(ProjectError, match="the disk is full"):
        tiny_project.add_label("case_0", (make_case(3)[1] // 2, make_grid()))
    assert all_files(tiny_project.path) == before


def test_the_images_are_never_written_to(tmp_path, decathlon, tiny_project, make_case, make_grid):
    before = all_files(decathlon)
    tiny_project.add_label("case_3", (make_case(3)[1], make_grid()))
    tiny_project.mark_predicted(["case_4"])
    assert all_files(decathlon) == before


def test_processes_that_add_cases_at_once_lose_nothing(tiny_project):
    code = """
project = Project.open(sys.argv[2])
for n in range(12):
    name = f"new_{sys.argv[1]}_{n}"
    project.add_cases([Case(name, [name + ".nii"])])
    project.update_case(name, seconds_spent=float(n))
"""
    run_together(3, code, str(tiny_project.path))
    cases = tiny_project.cases
    expected = {f"new_{p}_{n}": float(n) for p in range(3) for n in range(12)}
    assert {name: cases[name].seconds_spent for name in cases if "new" in name} == expected
    assert len(cases) == 6 + 36


def test_processes_that_make_rounds_at_once_get_different_ones(tiny_project):
    code = """
project = Project.open(sys.argv[2])
print(*[project.new_round({"by": sys.argv[1]}).number for _ in range(10)])
"""
    outputs = run_together(3, code, str(tiny_project.path))
    numbers = [int(number) for output in outputs for number in output.split()]
    assert sorted(numbers) == list(range(1, 31))
    assert [found.number for found in tiny_project.rounds()] == list(range(1, 31))
    assert tiny_project.latest_round().number == 30


def test_a_program_that_keeps_the_lock_too_long_is_reported(tiny_project):
    with tiny_project.lock():
        with pytest.raises(BusyError, match="being written by another program"):
            with tiny_project.lock(timeout_s=0.05):
                pass
    tiny_project.update_case("case_3", state="in_progress")


def test_a_round_that_is_not_there_is_an_error(tiny_project):
    with pytest.raises(ProjectError, match="no round 4"):
        tiny_project.round(4)
    made = tiny_project.new_round({"seed": 3})
    assert tiny_project.round(1) == made and made.record["seed"] == 3


def test_other_programs_read_the_accepted_annotation_on_the_image_s_grid(tiny_project, decathlon):
    image = sitk.ReadImage(str(decathlon / "imagesTr" / "case_0.nii.gz"))
    label = sitk.ReadImage(str(tiny_project.label_path("case_0")))
    assert label.GetSize() == image.GetSize()
    assert np.allclose(label.GetDirection(), image.GetDirection(), atol=1e-6)
    assert np.allclose(label.GetOrigin(), image.GetOrigin(), atol=1e-4)
    assert set(np.unique(read_labels(tiny_project.label_path("case_0"), "case_0")[0])) == {0, 1, 2}
