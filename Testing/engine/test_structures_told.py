"""The structures that label files name themselves become those of a new project, with their colours."""

from __future__ import annotations

import numpy as np
import pytest
from metassl.imaging import write_array
from metassl.imaging.label_tables import label_description
from metassl.imaging.segments import write_segmentation
from metassl.intake import Scan, find_cases, new_project

LIVER = "Anatomic codes~SCT^123037004^Anatomical Structure~SCT^10200004^Liver~^^~Anatomic codes~^^~^^"
RED, GREEN, GREY = (170 / 255, 1 / 255, 2 / 255), (0.0, 187 / 255, 3 / 255), (0.5, 0.5, 0.5)


@pytest.fixture
def add(tmp_path, make_case, make_grid):
    """add(case, segments) writes an image and, where there are segments, its .seg.nrrd of the two structures."""

    def write(case: str, segments=(), values=(1, 2)) -> None:
        image, label = make_case(0)
        write_array(tmp_path / f"{case}.nrrd", image, make_grid())
        if segments:
            array = np.array([0, *values], np.uint8)[label]
            write_segmentation(tmp_path / f"{case}.seg.nrrd", array, make_grid(), segments)

    return write


def facts(labels) -> list[tuple]:
    return [(label.value, label.name, label.color, label.terminology) for label in labels]


def test_segments_of_slicer_bring_names_colours_and_terminology(add, tmp_path, make_case):
    add("a", [(3, "Liver", RED, LIVER), (7, "Tumour", GREEN, ""), (255, "not annotated", GREY, "")], (3, 7))
    add("b")
    found = find_cases(tmp_path)
    assert Scan.of(tmp_path, found).structures == ["3 Liver", "7 Tumour"]
    project, _ = new_project(tmp_path / "project", found)
    assert facts(project.labels) == [(3, "Liver", "#AA0102", LIVER), (7, "Tumour", "#00BB03", "")]
    assert np.array_equal(project.read_label("a")[0], np.array([0, 3, 7])[make_case(0)[1]])


def test_the_first_file_with_a_name_says_its_value_and_names_are_never_joined(add, tmp_path, make_case):
    add("a", [(1, "Liver", RED, ""), (2, "Tumour", GREEN, "")])
    add("b", [(1, "tumour", GREY, ""), (2, "Vessel", GREY, "")])
    project, _ = new_project(tmp_path / "project", tmp_path)
    assert [(label.value, label.name) for label in project.labels] == [(1, "Liver"), (2, "Tumour"), (3, "Vessel")]
    assert np.array_equal(project.read_label("b")[0], np.array([0, 2, 3])[make_case(0)[1]])


def test_what_the_user_says_goes_before_what_the_files_say(add, tmp_path):
    add("a", [(1, "Liver", RED, ""), (2, "Tumour", GREEN, "")])
    project, _ = new_project(tmp_path / "project", tmp_path, labels=["4=Tumour", "5=Liver"])
    assert [(label.value, label.name) for label in project.labels] == [(4, "Tumour"), (5, "Liver")]


def test_itk_snaps_description_beside_or_above_the_labels_names_their_values(tmp_path, make_case, make_grid):
    image, label = make_case(0)
    for kind, array in (("images", image), ("labels", label)):
        (tmp_path / kind).mkdir()
        write_array(tmp_path / kind / "a.nii.gz", array, make_grid())
    (tmp_path / "notes.txt").write_text("not a description", encoding="utf-8")
    looks = [(1, 'the "liver", größer', RED, ""), (2, "Tumour", GREEN, ""), (255, "not annotated", GREY, "")]
    (tmp_path / "z.txt").write_text(label_description(looks), encoding="utf-8")
    project, _ = new_project(tmp_path / "project", tmp_path)
    assert facts(project.labels) == [(1, "the 'liver', größer", "#AA0102", ""), (2, "Tumour", "#00BB03", "")]
    assert np.array_equal(project.read_label("a")[0], label)


def test_a_damaged_segmentation_names_nothing_and_stops_nothing(add, tmp_path):
    add("a", [(1, "Liver", RED, ""), (2, "Tumour", GREEN, "")])
    add("b")
    (tmp_path / "b.seg.nrrd").write_bytes(b"NRRD0004\nnonsense")
    project, told = new_project(tmp_path / "project", tmp_path)
    assert [label.name for label in project.labels] == ["Liver", "Tumour"]
    assert [sentence for sentence in told if "b.seg.nrrd" in sentence and "stays unlabelled" in sentence]
