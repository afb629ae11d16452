"""Labels, cases and rounds as they are written down."""

from __future__ import annotations

import json

import pytest
from metassl.files import LabelError, ProjectError
from metassl.project import Case, LabelDefinition, Round, check_case_id, make_case_id, parse_labels
from metassl.project.rounds import list_rounds, make_round
from metassl.project.structures import REGION_COLORS, check_labels, default_color


def test_labels_are_read_from_texts_in_order_of_value():
    labels = parse_labels(["2=Posterior=#0a0b0c", "1= Anterior part "])
    assert [(label.value, label.name) for label in labels] == [
        (1, "Anterior part"),
        (2, "Posterior"),
    ]
    assert labels[1].color == "#0A0B0C"


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        (["Liver"], "VALUE=NAME"),
        (["one=Liver"], "VALUE=NAME"),
        (["0=Background"], "from 1 to 254"),
        (["255=Nothing"], "from 1 to 254"),
        (["1="], "needs a name"),
        (["1=A", "1=B"], "same value: 1"),
        (["1=A", "2=A"], "same name: A"),
        (["1=A=red"], "#RRGGBB"),
        ([], "at least one label"),
    ],
)
def test_labels_that_cannot_be_used_are_refused(texts, complaint):
    with pytest.raises(LabelError, match=complaint):
        parse_labels(texts)


def test_all_default_colors_are_colors_and_none_is_that_of_a_region():
    colors = [LabelDefinition(value, f"Label {value}").color for value in range(1, 255)]
    assert not set(colors) & set(REGION_COLORS)
    assert len(set(colors[:12])) == 12
    assert default_color(40) == default_color(40)


def test_labels_are_sorted_and_checked_together():
    labels = [LabelDefinition(9, "B"), LabelDefinition(3, "A")]
    assert [label.value for label in check_labels(labels)] == [3, 9]


@pytest.mark.parametrize("case_id", ["a", "Müller 2", "patient001_frame01", "7.5-T", "脳_1"])
def test_case_ids_of_letters_digits_and_a_few_signs_are_accepted(case_id):
    assert check_case_id(case_id) == case_id


@pytest.mark.parametrize(
    "case_id",
    ["", "a/b", "a\\b", "..", ".hidden", "a.", " a", "a:b", "a\nb", "a\0", "con", "NUL.x", "lpt1",
     "x" * 121, "é" * 61, 7, None],
)  # fmt: skip
def test_case_ids_that_could_harm_a_file_system_are_refused(case_id):
    with pytest.raises(ProjectError):
        check_case_id(case_id)


@pytest.mark.parametrize(
    ("name", "case_id"),
    [
        ("CT (1)", "CT _1_"),
        ("..x..", "x"),
        ("con", "case_con"),
        ("é" * 100, "é" * 60),
        ("Mu\u0308ller", "M\u00fcller"),
    ],
)
def test_file_names_become_case_ids(name, case_id):
    assert make_case_id(name) == case_id


@pytest.mark.parametrize(
    "change",
    [
        {"id": "../../etc"},
        {"images": []},
        {"images": "a.nii"},
        {"images": [1]},
        {"split": "train"},
        {"state": "done"},
        {"label_version": "../../x"},
        {"seconds_spent": -1},
        {"seconds_spent": "long"},
    ],
)
def test_a_case_from_a_foreign_file_is_checked(change):
    entry = {"id": "a", "images": ["a.nii"], **change}
    with pytest.raises(ProjectError):
        Case.from_json(json.loads(json.dumps(entry)))


def test_a_case_survives_being_written_and_read():
    case = Case("a", ["x/a.nii"], "validation", "corrected", "0" * 64, "2026-01-01", 12.5)
    assert Case.from_json(json.loads(json.dumps(case.to_json()))) == case
    assert Case.from_json({**case.to_json(), "added_later": 1}) == case


def test_a_case_counts_as_labelled_only_with_an_annotation():
    assert not Case("a", ["a.nii"], state="labelled").is_labelled
    assert Case("a", ["a.nii"], state="labelled", label_version="0" * 64).is_labelled
    assert not Case("a", ["a.nii"], state="in_progress", label_version="0" * 64).is_labelled


def test_a_round_without_a_record_is_not_listed_and_its_number_is_not_given_again(tmp_path):
    first = make_round(tmp_path)
    second = make_round(tmp_path)
    second.write_record({"seed": 7})
    assert (first.number, second.number) == (1, 2)
    assert list_rounds(tmp_path) == [second]
    assert make_round(tmp_path).number == 3


def test_the_record_of_a_round_is_written_once(tmp_path):
    made = make_round(tmp_path)
    made.write_record({"seed": 7})
    assert made.record["seed"] == 7 and made.record["number"] == 1
    with pytest.raises(ProjectError, match="never changed"):
        made.write_record({"seed": 8})
    assert Round(made.path).record["seed"] == 7


def test_a_prediction_is_complete_when_its_summary_is_there(tmp_path):
    made = make_round(tmp_path)
    paths = made.prediction("case 1")
    paths.folder.mkdir()
    paths.segmentation.write_text("", encoding="utf-8")
    assert not paths.complete and made.predicted_cases() == []
    paths.summary.write_text("{}", encoding="utf-8")
    assert paths.complete and made.predicted_cases() == ["case 1"]
    with pytest.raises(ProjectError):
        made.prediction("../outside")


def test_more_rounds_than_four_digits_hold_are_in_order(tmp_path):
    for number in (9999, 10000):
        Round(tmp_path / str(number)).path.mkdir()
        Round(tmp_path / str(number)).write_record({})
    assert [found.number for found in list_rounds(tmp_path)] == [9999, 10000]
    assert make_round(tmp_path).number == 10001
