"""The names of the same files on two computers, in both directions."""

from __future__ import annotations

import json

import numpy as np
import pytest
from metassl.files.path_map import VARIABLE, PathMap
from metassl.imaging import Geometry, write_array
from metassl.jobs import JobWriter, read_events
from metassl.project import Case, LabelDefinition, Project
from metassl.project.rounds import make_round

PAIRS = [
    ("/data/ct", "/mnt/share/ct", "/data/ct/a b/1.nii.gz", "/mnt/share/ct/a b/1.nii.gz"),
    ("Z:\\ct", "/mnt/z/ct", "Z:\\ct\\a\\1.nii.gz", "/mnt/z/ct/a/1.nii.gz"),
    ("/Volumes/ct", "D:\\ct", "/Volumes/ct/a/1.nii.gz", "D:\\ct\\a\\1.nii.gz"),
    ("\\\\server\\ct", "/mnt/ct", "\\\\server\\ct\\1.nii.gz", "/mnt/ct/1.nii.gz"),
    ("/", "/home/me/images", "/data/1.nii.gz", "/home/me/images/data/1.nii.gz"),
    ("C:\\", "/home/me/images/C", "C:\\data\\1.nii.gz", "/home/me/images/C/data/1.nii.gz"),
    ("/data", "/data", "/data/1.nii.gz", "/data/1.nii.gz"),
    ("/data/ct/", "/mnt/ct/", "/data/ct/1.nii.gz", "/mnt/ct/1.nii.gz"),
]


@pytest.mark.parametrize(("here", "there", "path", "as_there"), PAIRS)
def test_a_path_goes_there_and_comes_back(here, there, path, as_there):
    paths = PathMap.of([(here, there)])
    assert paths.holds(path) and paths.there(path) == as_there
    assert paths.here(as_there) == path


def test_what_no_pair_holds_keeps_its_name():
    paths = PathMap.of([("/data/ct", "/mnt/ct")])
    for path in ("/data/ct2/1.nii.gz", "/data", "images/1.nii.gz", "/other/data/ct/1.nii.gz"):
        assert not paths.holds(path) and paths.there(path) == path


def test_the_longest_folder_counts_and_windows_takes_small_and_capital_letters_for_the_same():
    paths = PathMap.of([("/data", "/mnt/data"), ("/data/ct", "/fast/ct"), ("Z:\\CT", "/z")])
    assert paths.there("/data/ct/1.nii.gz") == "/fast/ct/1.nii.gz"
    assert paths.there("/data/mr/1.nii.gz") == "/mnt/data/mr/1.nii.gz"
    assert paths.there("z:\\ct\\1.nii.gz") == "/z/1.nii.gz"


def test_sentences_and_what_holds_them_are_told_in_the_names_of_here():
    paths = PathMap.of([("/data/ct", "/mnt/ct"), ("/projects/P", "/home/me/P-1")])
    told = {
        "reason": "case a: /mnt/ct/a.nii.gz is damaged; see /home/me/P-1/rounds/0001/log.txt",
        "list": ["/mnt/ct", "/mnt/ct2/x", 3],
    }
    assert paths.told(told) == {
        "reason": "case a: /data/ct/a.nii.gz is damaged; see /projects/P/rounds/0001/log.txt",
        "list": ["/data/ct", "/mnt/ct2/x", 3],
    }


def test_a_worker_reads_images_by_their_names_there_and_tells_those_of_here(tmp_path, monkeypatch):
    grid = Geometry((4, 4, 4), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
    there = tmp_path / "mounted" / "a.nrrd"
    there.parent.mkdir()
    write_array(there, np.zeros((4, 4, 4), np.float32), grid)
    project = Project.create(tmp_path / "P", "P", [LabelDefinition(1, "A")], ["CT"])
    project.add_cases([Case("a", ["/nowhere/here/a.nrrd"]), Case("b", [str(tmp_path / "P" / "images" / "b.nrrd")])])
    monkeypatch.setenv(VARIABLE, json.dumps([["/nowhere/here", str(there.parent)]]))
    assert project.image_paths("a") == [there] and there.is_file()
    assert project.image_paths("b") == [project.path / "images" / "b.nrrd"]
    found = make_round(project.path / "rounds")
    with JobWriter(found, every_s=0.0) as writer:
        writer.write("case_failed", case="a", file=str(there), reason=f"case a: cannot read {there}")
    (event,) = read_events(found.events_path)
    assert (event.file, event.reason) == ("/nowhere/here/a.nrrd", "case a: cannot read /nowhere/here/a.nrrd")


def test_without_another_computer_nothing_is_renamed(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert PathMap.of_worker() == PathMap() and PathMap().variable() == {}
    assert PathMap.of_worker().told({"message": "/data/a"}) == {"message": "/data/a"}
