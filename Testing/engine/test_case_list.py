"""One case at a time out of thousands: quick, and never older than what is on the disk."""

import os
import time

from metassl.files.json_files import read_json, write_json
from metassl.project import LabelDefinition, Project, documents
from metassl.project.cases import Case

LONG_AGO = time.time_ns() - 3600 * 10**9


def big_project(folder, count) -> Project:
    made = Project.create(folder / "project", "big", [LabelDefinition(1, "Front")], ["CT"])
    made.add_cases(Case(f"scan_{number}", [f"images/{number}.nii.gz"]) for number in range(count))
    grow_old(made)
    return made


def grow_old(project) -> None:
    os.utime(project.path / "cases.json", ns=(LONG_AGO, LONG_AGO))


def test_each_of_two_thousand_cases_is_looked_up_in_the_time_of_a_few_readings(tmp_path):
    project = big_project(tmp_path, 2000)
    begin = time.process_time()
    documents.read_cases(project.path / "cases.json")
    once = time.process_time() - begin
    begin = time.process_time()
    for number in range(2000):
        assert project.image_paths(f"scan_{number}") == [project.path / f"images/{number}.nii.gz"]
    assert time.process_time() - begin < 20 * once


def test_what_another_process_writes_is_seen_at_once(tmp_path):
    project, other = big_project(tmp_path, 3), Project.open(tmp_path / "project")
    assert project.case("scan_1").state == "unlabelled"
    other.update_case("scan_1", state="rejected")
    assert project.case("scan_1").state == "rejected"
    grow_old(project)
    assert project.case("scan_1").state == "rejected"


def test_a_file_written_twice_in_a_moment_is_read_twice_even_if_nothing_tells_the_two_apart(tmp_path):
    project = big_project(tmp_path, 3)
    path = project.path / "cases.json"
    document, now = read_json(path, "the cases"), time.time_ns()
    for split in ("pool", "test"):
        document["cases"][1]["split"] = split
        os.utime(path, ns=(now, now))
        with open(path, "r+b") as file:  # in place, as no process of ours writes
            write_json(tmp_path / "other.json", document)
            file.write((tmp_path / "other.json").read_bytes())
        os.utime(path, ns=(now, now))
        assert project.case("scan_1").split == split


def test_a_case_from_the_list_is_a_copy(tmp_path):
    project = big_project(tmp_path, 3)
    project.case("scan_1").images.append("another")
    project.case("scan_1").state = "rejected"
    assert project.case("scan_1") == project.cases["scan_1"]
