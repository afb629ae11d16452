"""When to stop: the audit of a project, the rest accepted unseen and taken back; the command."""

from __future__ import annotations

import csv
import json
import os
import time

import numpy as np
import pytest
from metassl.cli import main
from metassl.exports import export_project
from metassl.files import ProjectError, read_json, write_json
from metassl.finish.audit import begin, read_audits
from metassl.finish.rest import accept_unseen, take_back
from metassl.finish.standing import read_standing
from metassl.imaging import write_array
from metassl.jobs import JobWriter
from metassl.project import Case, Project
from metassl.project.round_choice import waiting_cases
from metassl.project.structure_changes import rename_structure
from predicting import predict, structureBlock

# The audit


@pytest.fixture
def waiting(tiny_project, make_grid, make_case) -> Project:
    """The tiny project, its three unlabelled cases and six copies of them predicted by a round."""
    images = {case.id: case.images for case in tiny_project.cases.values()}
    tiny_project.add_cases(Case(f"more_{n}", images[f"case_{n % 3 + 3}"]) for n in range(6))
    predict_all(tiny_project, make_grid())
    return tiny_project


def predict_all(project: Project, grid) -> None:
    for case in project.unlabelled_cases():
        predict(project, case.id, grid)


def review(project: Project, grid, case_id: str, off: int = 0, **options) -> None:
    """Accept the prediction, or correct it by so many voxels along x (1 mm each)."""
    label = structureBlock(grid.shape_zyx)
    if off:
        label[2:8, 1:10, 11 - off : 11] = 0
    project.add_label(case_id, (label, grid), state="corrected" if off else "accepted", **options)


def test_the_order_is_fixed_by_a_recorded_seed_and_goes_on_after_each_look(waiting, make_grid):
    audit = begin(waiting, seed=4)
    assert begin(waiting) == audit and read_audits(waiting).audits == (audit,)
    document = read_json(waiting.path / "audit.json", "the audit")
    assert (document["schema_version"], document["audits"][0]["seed"]) == (1, 4)
    assert sorted(audit.order) == sorted(case.id for case in waiting.unlabelled_cases()) and audit.seed == 4
    for place, case_id in enumerate(audit.order):
        standing = read_standing(waiting)
        assert (standing.next_case, len(standing.looks)) == (case_id, place)
        review(waiting, make_grid(), case_id)
    assert read_standing(waiting).next_case is None and read_standing(waiting).bound.remaining == 0


def test_whether_a_prediction_needed_correction_is_measured_not_asked(waiting, make_grid):
    order = begin(waiting).order
    review(waiting, make_grid(), order[0])
    review(waiting, make_grid(), order[1], off=2)
    review(waiting, make_grid(), order[2], off=3)
    waiting.update_case(order[3], state="rejected")
    assert read_standing(waiting).looks == ("right", "right", "wrong", "wrong")
    assert read_standing(waiting, tolerance_mm=1).looks == ("right", "wrong", "wrong", "wrong")
    depths = read_audits(waiting).of_round(1).depths
    assert {case: depth.mm for case, depth in depths.items()} == {order[0]: 0.0, order[1]: 2.0, order[2]: 3.0}
    review(waiting, make_grid(), order[2])
    assert read_standing(waiting).looks[2] == "right", "measured again with the label of now"


def test_what_more_looks_would_give_is_what_they_give(waiting, make_grid):
    order, ((more, then),) = begin(waiting).order, read_standing(waiting).outlook
    assert more == 5 and then.says_something
    for case_id in order[:more]:
        review(waiting, make_grid(), case_id)
    assert read_standing(waiting).bound == then


def test_reviews_out_of_turn_are_no_looks_but_take_cases_out_of_the_rest(waiting, make_grid):
    order = begin(waiting).order
    review(waiting, make_grid(), order[4], off=3)
    review(waiting, make_grid(), order[5])
    standing = read_standing(waiting)
    assert (standing.looks, standing.outside) == ((), {order[4]: "wrong", order[5]: "right"})
    assert standing.remaining == [*order[:4], *order[6:]] and not standing.bound.says_something
    for case_id in order[:4]:
        review(waiting, make_grid(), case_id)
    assert read_standing(waiting).looks == ("right",) * 4 + ("wrong", "right"), "their turn has come"


def test_what_nobody_can_judge_counts_as_wrong_and_is_not_taken_off(waiting, make_grid):
    order = begin(waiting).order
    waiting.set_aside([order[0]])
    part = structureBlock(make_grid().shape_zyx)
    part[6:] = 255
    waiting.add_label(order[1], (part, make_grid()), state="corrected")
    assert (read_standing(waiting).looks, read_standing(waiting).next_case) == (("unknown",), order[1])
    waiting.set_done([order[1]])
    standing = read_standing(waiting)
    assert standing.looks == ("unknown", "unknown") and standing.wrong == 2
    assert standing.bound.remaining == 7


def test_a_case_that_was_looked_at_in_part_is_not_known_to_be_right_and_that_is_told(waiting, make_grid):
    first, second, third = begin(waiting).order[:3]
    review(waiting, make_grid(), first, looked=[3, 4])
    review(waiting, make_grid(), second, off=3, looked=[3, 4])
    review(waiting, make_grid(), third)
    standing = read_standing(waiting)
    assert (standing.looks, standing.wrong) == (("unknown", "wrong", "right"), 2)
    (note,) = standing.notes
    assert first in note and "look at some of its slices" in note
    waiting.update_case(first, looked=None)
    assert read_standing(waiting).looks == ("right", "wrong", "right") and not read_standing(waiting).notes


def test_a_label_that_cannot_be_compared_counts_as_wrong_and_is_told(waiting, make_grid):
    order = begin(waiting).order
    review(waiting, make_grid(), order[0])
    waiting.round(1).prediction(order[0]).segmentation.write_bytes(b"nothing")
    standing = read_standing(waiting)
    assert standing.looks == ("unknown",) and order[0] in standing.notes[0]


def test_the_predictions_of_a_new_round_begin_a_new_audit_and_an_older_round_has_its_own(waiting, make_grid):
    first = begin(waiting)
    review(waiting, make_grid(), first.order[0])
    waiting.new_round({"labels": {}})
    assert read_standing(waiting).round == 1, "as long as the new one has not predicted"
    predict_all(waiting, make_grid())
    assert (read_standing(waiting).round, read_standing(waiting).begun, read_standing(waiting).looks) == (2, "", ())
    second = begin(waiting)
    assert sorted(second.order) == sorted(first.order[1:])
    waiting.update_settings(shown_round=1)
    assert begin(waiting) == read_audits(waiting).of_round(1) and len(read_standing(waiting).looks) == 1


def test_cases_predicted_later_join_before_the_first_look_and_are_named_after_it(waiting, make_grid):
    begin(waiting)
    images = waiting.case("case_3").images
    waiting.add_cases([Case("late_1", images)])
    predict(waiting, "late_1", make_grid())
    order = begin(waiting).order
    assert "late_1" in order
    review(waiting, make_grid(), order[0])
    waiting.add_cases([Case("late_2", images)])
    predict(waiting, "late_2", make_grid())
    assert begin(waiting).order == order and read_standing(waiting).uncovered == ["late_2"]


def test_there_is_no_audit_without_predictions_while_they_are_made_or_when_none_waits(tiny_project, make_grid):
    with pytest.raises(ProjectError, match="no predictions yet: run `metassl train"):
        begin(tiny_project)
    predict(tiny_project, "case_3", make_grid())
    with JobWriter(tiny_project.latest_round()) as job:
        job.write("started", pid=os.getpid())
        with pytest.raises(ProjectError, match="still at work"):
            begin(tiny_project)
        assert read_standing(tiny_project).total == 1
        job.write("finished")
    review(tiny_project, make_grid(), "case_3")
    with pytest.raises(ProjectError, match="nothing to audit"):
        begin(tiny_project)


def test_a_damaged_or_newer_audit_is_named(waiting):
    begin(waiting)
    file = waiting.path / "audit.json"
    write_json(file, {"audits": [{"round": 1}]})
    with pytest.raises(ProjectError, match="the audit is damaged: the entry 'audits'"):
        read_standing(waiting)
    file.write_text('{"schema_version": 99}', encoding="utf-8")
    with pytest.raises(ProjectError, match="written by a newer MetaSSL"):
        begin(waiting)


# The rest


def accept_rest(project: Project):
    begin(project)
    standing = read_standing(project)
    return accept_unseen(project, project.round(standing.round), standing.remaining)


def test_the_rest_is_accepted_in_one_step_and_taken_back_in_one_and_nothing_else_is(waiting, make_grid):
    order = begin(waiting).order
    review(waiting, make_grid(), order[0])
    before = waiting.cases
    accepted = accept_rest(waiting)
    assert sorted(accepted.cases) == sorted(order[1:]) and accepted.left == {}
    for case_id in order[1:]:
        case = waiting.case(case_id)
        assert (case.state, case.unseen, case.is_reviewed) == ("accepted", True, False)
        assert np.array_equal(waiting.read_label(case_id)[0], structureBlock(make_grid().shape_zyx))
        assert waiting.label_path(case_id).is_file()
    standing = read_standing(waiting)
    assert (standing.unseen, len(standing.remaining), len(standing.looks)) == (8, 8, 1), "nobody has looked at them"
    assert sorted(take_back(waiting)) == sorted(order[1:]) and take_back(waiting) == []
    after = waiting.cases
    assert {i: {**c.to_json(), "updated": ""} for i, c in after.items()} == {
        i: {**c.to_json(), "updated": ""} for i, c in before.items()
    }
    assert not waiting.label_path(order[1]).exists() and waiting.label_path(order[0]).exists()


def test_what_is_accepted_unseen_speaks_about_a_structure_that_got_another_name(waiting):
    order = begin(waiting).order
    for case_id in order:
        path = waiting.latest_round().prediction(case_id).summary
        content = {**read_json(path, "the summary"), "values": [1, 2], "volume_ml": {"Front": 1.0, "Back": 0.5}}
        write_json(path, {key: value for key, value in content.items() if key != "schema_version"})
    rename_structure(waiting, 1, "Head")
    assert sorted(accept_rest(waiting).cases) == sorted(order)
    assert [waiting.case(case_id).missing([1, 2]) for case_id in order] == [[]] * len(order)


def test_nothing_is_trained_on_or_measured_by_labels_that_nobody_looked_at(waiting):
    labelled, unlabelled = waiting.labelled_cases(), {case.id for case in waiting.unlabelled_cases()}
    rest = accept_rest(waiting).cases
    assert waiting.labelled_cases() == labelled
    assert {case.id for case in waiting.unlabelled_cases()} == unlabelled >= set(rest), "they stay unlabelled images"
    assert waiting_cases(waiting, waiting.latest_round()) == [], "nobody is asked about them"
    waiting.change_cases(rest[:1], lambda case: Case(**{**case.to_json(), "split": "validation"}))
    assert rest[0] not in {case.id for case in waiting.validation_cases()}


def test_one_that_a_person_accepts_is_reviewed_from_then_on_and_stays_when_the_rest_is_taken_back(waiting, make_grid):
    order = begin(waiting).order
    accept_rest(waiting)
    review(waiting, make_grid(), order[0])
    assert waiting.case(order[0]).is_reviewed and read_standing(waiting).looks == ("right",)
    waiting.update_case(order[1], state="rejected")
    assert sorted(take_back(waiting)) == sorted(order[2:])
    assert (waiting.case(order[0]).state, waiting.case(order[1]).state) == ("accepted", "rejected")


def test_after_a_new_round_its_own_predictions_can_take_the_place_of_those_accepted_before(waiting, make_grid):
    rest = accept_rest(waiting).cases
    assert (read_standing(waiting).unseen, read_standing(waiting).outdated) == (9, 0)
    time.sleep(0.002)
    waiting.new_round({"labels": {}})
    better = structureBlock(make_grid().shape_zyx)
    better[2:8, 1:10, 10] = 0
    for case_id in rest:
        predict(waiting, case_id, make_grid(), segmentation=better)
    standing = read_standing(waiting)
    assert (standing.round, standing.unseen, standing.outdated, len(standing.remaining)) == (2, 9, 9, 9)
    assert sorted(accept_rest(waiting).cases) == sorted(rest) and read_standing(waiting).outdated == 0
    assert np.array_equal(waiting.read_label(rest[0])[0], better)


def test_what_cannot_be_accepted_unseen_is_left_and_named(waiting, make_grid):
    order = begin(waiting).order
    waiting.mark_in_progress(order[0])
    for place, content in ((1, np.zeros(make_grid().shape_zyx, np.uint8)), (2, None)):
        waiting.round(1).prediction(order[place]).segmentation.unlink()
        if content is not None:
            write_array(waiting.round(1).prediction(order[place]).segmentation, content, make_grid())
    accepted = accept_rest(waiting)
    assert sorted(accepted.cases) == sorted(order[3:])
    assert "being annotated" in accepted.left[order[0]] and "no structure" in accepted.left[order[1]]
    assert waiting.case(order[2]).state == "predicted" and order[2] in accepted.left


def test_what_another_program_made_of_an_unseen_label_is_kept_when_it_is_taken_back(waiting, make_grid):
    case_id = accept_rest(waiting).cases[0]
    copy = waiting.label_path(case_id)
    copy.write_bytes(b"edited elsewhere")
    take_back(waiting)
    assert not copy.exists()
    (kept,) = (waiting.path / "labels" / ".history").glob(f"{case_id}.outside-*.nrrd")
    assert kept.read_bytes() == b"edited elsewhere"


def test_a_project_of_before_opens_and_an_export_says_what_nobody_looked_at(waiting, tmp_path):
    document = json.loads((waiting.path / "cases.json").read_text(encoding="utf-8"))
    for case in document["cases"]:
        del case["unseen"], case["looked"]
    write_json(waiting.path / "cases.json", document)
    assert not any(case.unseen or case.looked for case in Project.open(waiting.path).cases.values())
    rest = accept_rest(waiting).cases
    notes = export_project(waiting, tmp_path / "out", ["labels"]).notes
    assert notes == ["9 labels accepted unseen: predictions that nobody looked at"]
    header, *rows = (tmp_path / "out" / "summary.csv").read_text(encoding="utf-8").splitlines()
    column = header.split(",").index("unseen")
    assert {row.split(",")[0] for row in rows if row.split(",")[column] == "yes"} == set(rest)


def test_an_export_says_how_many_slices_were_looked_at(waiting, make_grid, tmp_path):
    review(waiting, make_grid(), "case_3", looked=[3, 4])
    notes = export_project(waiting, tmp_path / "out", ["labels"]).notes
    assert notes == ["1 label accepted after a look at some slices: nobody saw the others"]
    with open(tmp_path / "out" / "summary.csv", encoding="utf-8", newline="") as file:
        told = {row["case"]: row["slices_looked_at"] for row in csv.DictReader(file)}
    assert told["case_3"] == "2" and told["case_0"] == ""


def test_another_program_is_not_handed_them_to_train_on_either(waiting, tmp_path):
    rest = accept_rest(waiting).cases
    export_project(waiting, tmp_path / "Dataset501_Boxes", format="nnunet")
    labels = {path.name.removesuffix(".nii.gz") for path in (tmp_path / "Dataset501_Boxes" / "labelsTr").iterdir()}
    assert labels == {"case_0", "case_1", "case_2"} and len(rest) == 9
    assert len(list((tmp_path / "Dataset501_Boxes" / "imagesTs").iterdir())) == 9


# The command


@pytest.fixture
def call(capsys):
    """call(words) -> (exit code, what people read, the JSON object)."""

    def run(*words: object):
        capsys.readouterr()
        code = main([str(word) for word in (*words, "--json")])
        printed = capsys.readouterr()
        return code, printed.err.replace("\N{NO-BREAK SPACE}", " "), json.loads(printed.out)

    return run


def test_finish_says_where_it_stands_and_what_more_would_give(waiting, make_grid, call):
    code, words, found = call("finish", waiting.path)
    assert code == 0 and "nothing can be said yet of the remaining 9" in words
    for _ in range(6):
        review(waiting, make_grid(), found["next_case"])
        _, words, found = call("finish", waiting.path)
    bound = found["bound"]
    assert bound["says_something"] and bound["at_most"] < bound["remaining"] == 3
    amount = f"{round(100 * bound['at_most'] / 3)} % ({bound['at_most']})"
    assert f"with 95 % confidence at most {amount} of the remaining 3 need correction (deeper than 2 mm)" in words
    assert f"next case   {found['next_case']}" in words


def test_finish_keeps_the_tolerance_and_refuses_what_is_none(waiting, call, capsys):
    assert call("finish", waiting.path, "--tolerance", 3)[2]["tolerance_mm"] == 3.0
    assert call("finish", waiting.path, "--confidence", "90%")[2]["tolerance_mm"] == 3.0
    for words in (["--tolerance", "-1"], ["--confidence", "1.5"], ["--accept-rest", "--undo"]):
        with pytest.raises(SystemExit):
            main(["finish", str(waiting.path), *words])
        assert "metassl finish:" in capsys.readouterr().err


def test_finish_accepts_the_rest_only_when_it_is_told_twice_and_takes_it_back(waiting, call):
    code, words, found = call("finish", waiting.path, "--accept-rest")
    assert code == 0 and found["accepted"] == [] and "nothing is accepted yet" in words and "--yes" in words
    assert not any(case.unseen for case in waiting.cases.values())
    found = call("finish", waiting.path, "--accept-rest", "--yes")[2]
    assert len(found["accepted"]) == 9
    states = {each["case"]: each["state"] for each in call("status", waiting.path, "--cases")[2]["case_list"]}
    assert {states[case] for case in found["accepted"]} == {"accepted unseen"}
    assert sorted(call("finish", waiting.path, "--undo")[2]["taken_back"]) == sorted(found["accepted"])
    assert not any(case.unseen for case in waiting.cases.values())
