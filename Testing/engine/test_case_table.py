"""The tables of cases and rounds, and the case to look at next: read from real project folders."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path

import numpy as np
import pytest
from machine import slowness
from metassl.files import LabelError, ProjectError, write_json
from metassl.imaging import write_array
from metassl.jobs import JobWriter
from metassl.project import Case, LabelDefinition, Project
from MetaSSLSlicerLib.Logic.Case.Agreement import compareRound, dicePerStructure
from MetaSSLSlicerLib.Logic.Project.CaseTable import CaseRow, readRows
from MetaSSLSlicerLib.Logic.Project.Ranking import recommend
from MetaSSLSlicerLib.Logic.Project.RoundTable import RoundTable, dateText, describe, timeText
from MetaSSLSlicerLib.Widgets.Parts.CaseCells import TIME, CaseCells

UNCERTAINTY = {"US": 0.1, "DC": 0.02, "DS": 0.03}


def predict(found, case_id: str, uncertainty: dict | None = UNCERTAINTY) -> None:
    paths = found.prediction(case_id)
    paths.folder.mkdir(parents=True, exist_ok=True)
    write_json(paths.summary, {"case": case_id, "uncertainty": uncertainty})


def rank(found, **scores: float) -> None:
    entries = [{"case": case, "score": score, "reason": f"uncertainty in {case}"} for case, score in scores.items()]
    write_json(found.ranking_path, {"strategy": "discrepancy", "cases": entries, "skipped": {}})


def new_round(project, **record):
    return project.new_round({"config": {}, "labels": {}, **record})


def rows_of(project, *ids: str) -> dict[str, CaseRow]:
    return {row.id: row for row in readRows(project, ids or None)}


# The table


def test_a_new_project_has_a_row_for_each_case_and_nothing_to_tell(tiny_project):
    rows = readRows(tiny_project)
    assert [row.id for row in rows] == [f"case_{number}" for number in range(6)]
    assert [row.state for row in rows] == ["labelled"] * 3 + ["unlabelled"] * 3
    assert rows[2].split == "validation"
    assert rows[5] == CaseRow("case_5")


def test_a_row_tells_how_many_slices_were_looked_at_where_that_was_not_all(tiny_project):
    label, geometry = tiny_project.read_label("case_0")
    tiny_project.add_label("case_3", (label, geometry), state="accepted", looked=[4, 5])
    rows = rows_of(tiny_project, "case_0", "case_3")
    assert (rows["case_0"].looked, rows["case_3"].looked) == (None, 2)
    assert CaseCells().of(rows["case_3"]).hint.endswith("looked at before all of it was accepted: 2")
    assert "looked at" not in CaseCells().of(rows["case_0"]).hint


def test_a_row_tells_uncertainty_place_and_why(tiny_project):
    found = new_round(tiny_project)
    predict(found, "case_3")
    predict(found, "case_4", {"US": 0.9, "DC": 0.9, "DS": 0.9})
    rank(found, case_0=0.9, case_3=0.4)
    tiny_project.mark_predicted(["case_3"])
    tiny_project.update_case("case_4", seconds_spent=61, dice=0.5)
    rows = rows_of(tiny_project)
    assert (rows["case_3"].uncertainty, rows["case_3"].place, rows["case_3"].round) == (UNCERTAINTY, 2, 1)
    assert (rows["case_3"].state, rows["case_3"].reason) == ("predicted", "uncertainty in case_3")
    assert rows["case_3"].totalUncertainty == pytest.approx(0.15)
    assert rows["case_4"].totalUncertainty == 1.0
    assert (rows["case_4"].seconds, rows["case_4"].dice) == (61.0, 0.5)
    assert rows["case_0"].place is None, "a labelled case has nothing more to give"


def test_uncertainty_and_ranking_are_those_of_the_round_under_review(tiny_project):
    first, second = new_round(tiny_project), new_round(tiny_project)
    for found, share in ((first, 0.3), (second, 0.1)):
        predict(found, "case_3", {"US": share, "DC": 0, "DS": 0})
    predict(first, "case_4")
    rank(first, case_4=1.0, case_3=0.5)
    assert rows_of(tiny_project)["case_3"].uncertainty["US"] == 0.1
    assert rows_of(tiny_project)["case_3"].place == 2, "the second round is not ranked yet"
    assert rows_of(tiny_project)["case_4"].round == 1
    rank(second, case_3=0.2)
    assert rows_of(tiny_project)["case_3"].place == 1
    Project.open(tiny_project.path).update_settings(shown_round=1)  # another program's choice
    assert rows_of(tiny_project)["case_3"].uncertainty["US"] == 0.3
    assert rows_of(tiny_project)["case_3"].place == 2


def test_a_prediction_that_is_not_whole_yet_or_damaged_does_no_harm(tiny_project):
    found = new_round(tiny_project)
    found.prediction("case_3").folder.mkdir(parents=True)
    predict(found, "case_4", {"US": "much"})
    found.ranking_path.write_text("{", encoding="utf-8")
    rows = rows_of(tiny_project)
    assert (rows["case_3"].round, rows["case_3"].uncertainty) == (None, None)
    assert (rows["case_4"].round, rows["case_4"].uncertainty, rows["case_4"].totalUncertainty) == (1, None, None)


def test_a_case_that_could_not_be_used_says_why_until_it_is_predicted(tiny_project):
    found = new_round(tiny_project)
    JobWriter(found, every_s=0.0).write("case_failed", case="case_3", file="x.nii", reason="x.nii is torn")
    assert rows_of(tiny_project)["case_3"].failed == "x.nii is torn"
    predict(found, "case_3")
    assert rows_of(tiny_project)["case_3"].failed == ""


def test_unsaved_work_is_seen(tiny_project):
    (tiny_project.path / "journal" / "case_3.seg.nrrd").write_bytes(b"")
    rows = rows_of(tiny_project)
    assert [row.id for row in rows.values() if row.autosaved] == ["case_3"]


def test_a_few_rows_are_read_alone(tiny_project):
    assert list(rows_of(tiny_project, "case_4", "no such case")) == ["case_4"]


def test_a_damaged_case_list_is_an_error_for_the_user(tiny_project):
    (tiny_project.path / "cases.json").write_text("{", encoding="utf-8")
    with pytest.raises(ProjectError, match="damaged"):
        readRows(tiny_project)


@pytest.mark.parametrize(("count", "seconds"), [(1000, 1.0), (10_000, 2.0)])
def test_thousands_of_cases_are_read_in_time(count, seconds, tmp_path):
    project = Project.create(tmp_path / "big", "big", [LabelDefinition(1, "Front")], ["CT"])
    project.add_cases(Case(f"case_{number:05d}", [f"images/{number}.nii.gz"]) for number in range(count))
    found = new_round(project)
    line = json.dumps({"schema_version": 1, "voxels": {"UC": 1, "US": 2}, "uncertainty": UNCERTAINTY}, indent=1)
    for number in range(count):
        folder = Path(found.predictions, f"case_{number:05d}")
        folder.mkdir()
        (folder / "summary.json").write_text(line, encoding="utf-8")
    rank(found, **{f"case_{number:05d}": 1 / (1 + number) for number in range(count)})
    begin = time.process_time()
    rows = readRows(project)
    taken = time.process_time() - begin
    begin = time.process_time()
    assert len(readRows(project, ["case_00007"])) == 1
    print(f"{count} rows in {taken:.2f} s, one of them in {time.process_time() - begin:.2f} s")
    assert len(rows) == count and all(row.uncertainty for row in rows)
    assert taken < seconds * slowness()


# The next case


ROWS = [
    CaseRow("a", state="predicted", uncertainty=UNCERTAINTY, place=3, reason="little"),
    CaseRow("b", state="predicted", uncertainty=UNCERTAINTY, place=2, reason="networks differ on 12 %"),
    CaseRow("c", state="unlabelled"),
    CaseRow("d", state="accepted"),
    CaseRow("e", split="validation"),
]


def changed(row: CaseRow, **changes) -> CaseRow:
    return dataclasses.replace(row, **changes)


def test_the_first_of_the_ranking_comes_next_and_says_why():
    assert recommend(ROWS) == ("b", "Networks differ on 12 %.")
    assert recommend(ROWS, exclude={"b"}) == ("a", "Little.")


def test_before_any_training_cases_come_in_the_order_of_their_names():
    case, reason = recommend([CaseRow("y"), CaseRow("x"), CaseRow("a", state="labelled")])
    assert case == "x"
    assert "order of their names" in reason


def test_while_predictions_arrive_the_most_uncertain_comes_first():
    new = CaseRow("n", state="predicted", uncertainty={"US": 0.0, "DC": 0.3, "DS": 0.1})
    old = CaseRow("m", state="predicted", uncertainty={"US": 0.5, "DC": 0.0, "DS": 0.0})
    case, reason = recommend([CaseRow("l"), old, new])
    assert case == "n"
    assert "uncertain" in reason


def test_unfinished_work_is_told_but_does_not_jump_the_queue():
    rows = [changed(ROWS[0], state="in_progress"), ROWS[1]]
    assert recommend(rows)[0] == "b"
    case, reason = recommend(rows, exclude={"b"})
    assert case == "a"
    assert reason == "Your work on it is not finished. Little."


def test_rejected_and_failed_cases_come_when_nothing_else_is_left():
    rejected, failed = changed(ROWS[1], state="rejected"), CaseRow("f", failed="x.nii is torn")
    assert recommend([rejected, failed, ROWS[0]])[0] == "a"
    assert recommend([rejected, failed]) == ("b", "You rejected its prediction; label it by hand, or train again.")
    assert recommend([failed]) == ("f", "The last training could not use it: x.nii is torn.")


def test_when_all_is_done_nothing_is_recommended():
    assert recommend(ROWS[3:]) is None
    assert recommend([]) is None


# Rounds


def finished(project, dice=0.75, **record):
    found = new_round(project, **record)
    events = JobWriter(found, every_s=0.0)
    events.write("started", device="cuda", device_name="A GPU")
    events.write("validation", step=4, dice={"mean": dice, "per_class": {"Front": 0.7, "Back": None}})
    events.write("finished")
    found.model_path.write_bytes(b"model")
    predict(found, "case_3")
    return found


def test_rounds_come_newest_first_and_say_which_one_counts(tiny_project):
    finished(tiny_project)
    finished(tiny_project, parent=1)
    new_round(tiny_project)
    listed = RoundTable().rows(tiny_project)
    assert [row.number for row in listed.rows] == [3, 2, 1]
    assert [(row.isShown, row.isStart, row.isNewest) for row in listed.rows] == [
        (False, False, True),
        (True, True, False),
        (False, False, False),
    ]
    assert not listed.isChosen
    tiny_project.update_settings(shown_round=1)
    listed = RoundTable().rows(tiny_project)
    assert [row.isShown for row in listed.rows] == [False, False, True]
    assert listed.isChosen


def test_a_round_is_described_in_sentences(tiny_project):
    found = finished(tiny_project, labels={"case_0": "a" * 64})
    (row,) = RoundTable().rows(tiny_project).rows
    text = describe(row)
    assert text.startswith("Round 1 of ") and ": 1 label, from scratch, A GPU" in text
    assert "Validation Dice 0.75 (Front 0.70)." in text
    assert "It predicted 1 case. Its error rates are not yet measured." in text
    write_json(found.path / "error_rates.json", {"rates": {}})
    (row,) = RoundTable().rows(tiny_project).rows
    assert "Its error rates were measured." in describe(row)


def test_a_round_that_grows_is_read_again(tiny_project):
    table = RoundTable()
    found = finished(tiny_project)
    assert table.rows(tiny_project).rows[0].summary.dice == 0.75
    JobWriter(found, every_s=0.0).write("validation", step=9, dice={"mean": 0.9, "per_class": {}})
    assert table.rows(tiny_project).rows[0].summary.dice == 0.9


def test_times_are_told_as_people_do():
    assert [timeText(seconds) for seconds in (0, 42, 187)] == ["", "42\u00a0s", "3\u00a0min 7\u00a0s"]
    assert dateText("nonsense") == ""
    assert dateText("2025-06-02T10:00:00+00:00", "%Y") == "2025"


# Comparing two rounds


def test_another_rounds_segmentation_is_compared_structure_by_structure(tiny_project, make_case, make_grid):
    labels = make_case(3)[1]
    found = finished(tiny_project)
    other = np.where(labels == 2, 0, labels).astype(np.uint8)
    write_array(found.prediction("case_3").segmentation, other, make_grid())
    compared = compareRound(tiny_project, "case_3", 1, make_grid(), labels, "round 2")
    assert np.array_equal(compared.segmentation, other)
    assert compared.dice == {"Front": 1.0, "Back": 0.0}
    assert compared.text == "case_3: round 1 and round 2 agree by Dice Front 1.00, Back 0.00."
    with pytest.raises(LabelError, match="did not predict case case_4"):
        compareRound(tiny_project, "case_4", 1, make_grid(), labels, "round 2")


def test_voxels_that_nobody_annotated_are_not_compared(two_labels):
    first, second = np.ones((2, 2, 2), np.uint8), np.ones((2, 2, 2), np.uint8)
    second[0] = 255
    first[0] = 2
    assert dicePerStructure(first, second, two_labels) == {"Front": 1.0, "Back": None}


def test_what_is_expected_to_cost_so_much_says_so_until_somebody_has_worked_on_it(tiny_project):
    found = new_round(tiny_project)
    predict(found, "case_3")
    predict(found, "case_4")
    entries = [
        {"case": case, "score": 1.0, "seconds": seconds} for case, seconds in (("case_3", 38.0), ("case_4", 230))
    ]
    write_json(found.ranking_path, {"strategy": "combined", "cases": entries, "skipped": {}})
    rows, cells = rows_of(tiny_project), CaseCells()
    assert (rows["case_3"].work, rows["case_4"].work, rows["case_5"].work) == (38.0, 230, None)
    texts = {case: cells.of(row).texts[TIME].replace("\u00a0", " ") for case, row in rows.items()}
    assert (texts["case_3"], texts["case_4"], texts["case_5"]) == ("≈ 40 s", "≈ 4 min", "")
    tiny_project.update_case("case_3", seconds_spent=61)
    assert "≈" not in cells.of(rows_of(tiny_project)["case_3"]).texts[TIME]
