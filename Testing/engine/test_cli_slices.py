"""Reviewing slice by slice on the command line: which slices are worth it, and labels of some slices."""

from __future__ import annotations

import json

import numpy as np
import pytest
from metassl.cli import main
from metassl.imaging import IGNORE, write_array
from metassl.inference.predict import predict_project
from metassl.project.effort.expected import Effort
from metassl.project.effort.looked import read_looked_at
from metassl.project.effort.slices import done_slices, with_slices, worthwhile_slices
from random_model import add_round, random_model


@pytest.fixture
def call(capsys):
    """call(*words) -> (exit code, what is said, the JSON)."""

    def run(*words: object):
        code = main([*map(str, words), "--json"])
        printed = capsys.readouterr()
        return code, printed.err, json.loads(printed.out) if printed.out else None

    return run


@pytest.fixture
def corrected(tiny_project, tmp_path):
    """The file of a whole annotation of case_3, and its array."""
    label, grid = tiny_project.read_label("case_0")
    write_array(tmp_path / "corrected.nrrd", label, grid)
    return tmp_path / "corrected.nrrd", label


def known(project) -> list[int]:
    return done_slices(project.read_label("case_3")[0], 0)


def test_slices_of_a_file_are_taken_and_join_those_of_before(tiny_project, corrected, call):
    file, label = corrected
    code, _, told = call("label", tiny_project.path, "case_3", file, "--slices", 4, "6-7")
    assert (code, told["partial"], told["changed"]) == (0, True, True) and known(tiny_project) == [4, 6, 7]
    call("label", tiny_project.path, "case_3", file, "--slices", 0)
    found = tiny_project.read_label("case_3")[0]
    assert known(tiny_project) == [0, 4, 6, 7], "one without a structure, too"
    np.testing.assert_array_equal(found[[0, 4, 6, 7]], label[[0, 4, 6, 7]])
    assert call("label", tiny_project.path, "case_3", file, "--slices", "0-9")[2]["partial"] is False


def test_slices_that_were_looked_at_are_kept_with_a_label_of_the_whole_and_more_can_be_said_later(
    tiny_project, corrected, call, capsys
):
    file, label = corrected
    told = call("label", tiny_project.path, "case_3", file, "--looked", "6-7", 4)[2]
    assert told["looked"] == [4, 6, 7] and not told["partial"]
    np.testing.assert_array_equal(tiny_project.read_label("case_3")[0], label)
    assert known_and_looked_at(tiny_project) == [4, 6, 7]
    assert call("label", tiny_project.path, "case_3", file, "--slices", 5)[2]["looked"] == [4, 5, 6, 7]
    assert main(["status", str(tiny_project.path), "--cases"]) == 0
    assert "4 slices looked at" in capsys.readouterr().out
    assert call("label", tiny_project.path, "case_3", "--looked", 1)[2]["looked"] == [1]
    assert call("label", tiny_project.path, "case_3", "--looked", "all")[2]["looked"] is None
    assert known_and_looked_at(tiny_project) == list(range(10))
    refused = {"10": "no slice 10", "0-9999999999999": "case case_3: there is no slice 9999999999999"}
    for words, said in (
        *((["case_3", each], said) for each, said in refused.items()),
        (["case_4", "all"], "no label that anybody looked at"),
    ):
        assert main(["label", str(tiny_project.path), words[0], "--looked", words[1]]) != 0
        assert said in capsys.readouterr().err


def test_a_label_that_is_given_again_without_a_word_of_the_slices_says_that_all_of_it_counts(
    tiny_project, corrected, capsys
):
    command = ["label", str(tiny_project.path), "case_3", str(corrected[0])]
    assert main([*command, "--looked", "4"]) == main(command) == 0
    assert "the same label as before; all of it counts as looked at, no longer 1 slice alone" in capsys.readouterr().out


def test_a_validation_case_is_measured_where_somebody_looked_and_nowhere_else(tiny_project, call):
    add_round(tiny_project, random_model(tiny_project))
    (case,) = tiny_project.validation_cases()
    truth, grid = tiny_project.read_label(case.id)
    call("label", tiny_project.path, case.id, "--looked", len(truth) // 2)
    code, said, told = call("evaluate", tiny_project.path, "--device", "cpu")
    assert code == 0 and f"case {case.id}: measured where somebody looked, in 1 slice" in said
    of_slice = {each.name: np.count_nonzero(truth[len(truth) // 2] == each.value) for each in tiny_project.labels}
    rows = told["cases"][case.id]["labels"]
    assert {name: round(row["truth_ml"] / grid.voxel_ml) for name, row in rows.items()} == of_slice
    assert any(of_slice.values())


def known_and_looked_at(project) -> list[int]:
    return done_slices(read_looked_at(project, "case_3")[0], 0)


@pytest.mark.parametrize("numbers", ["7-4", "four", "-1", "4-"])
def test_what_is_no_slice_is_refused(tiny_project, corrected, numbers, capsys):
    with pytest.raises(SystemExit):
        main(["label", str(tiny_project.path), "case_3", str(corrected[0]), f"--slices={numbers}"])
    assert "is no number of a slice" in capsys.readouterr().err


def test_a_slice_that_there_is_not_is_named_and_nothing_is_taken(tiny_project, corrected, capsys):
    assert main(["label", str(tiny_project.path), "case_3", str(corrected[0]), "--slices", "4", "10"]) != 0
    assert "no slice 10: they are numbered from 0 to 9" in capsys.readouterr().err
    assert not tiny_project.case("case_3").is_labelled
    assert main(["label", str(tiny_project.path), "--from", str(corrected[0].parent), "--slices", "4"]) != 0
    assert "--slices and --looked go with one CASE" in capsys.readouterr().err


def test_the_slices_that_are_worth_it_are_listed_without_those_that_are_done(tiny_project, corrected, call, capsys):
    assert main(["rank", str(tiny_project.path), "--slices", "case_3"]) != 0
    assert "case case_3: no prediction says which of its slices are wrong" in capsys.readouterr().err
    add_round(tiny_project, random_model(tiny_project))
    predict_project(tiny_project, device="cpu")
    told = call("rank", tiny_project.path, "--slices", "case_3")[2]
    first, second = (each["slice"] for each in told["slices"][:2])
    assert told["done"] == [] and told["axis"] == 0
    call("label", tiny_project.path, "case_3", corrected[0], "--slices", first)
    again = call("rank", tiny_project.path, "--slices", "case_3")[2]
    assert again["done"] == [first] and again["slices"] == told["slices"][1:] and again["slices"][0]["slice"] == second
    assert main(["rank", str(tiny_project.path), "--slices", "case_3"]) == 0
    said = capsys.readouterr().out
    assert "of work" in said and f"--slices {second}" in said and "assumed" in said


def test_the_most_costly_slice_comes_first_and_unlikely_ones_do_not_come():
    effort = Effort(2.0, 0, 4, [0.0, 9.0, 0.5, 30.0, 9.0], 5.0, 2.0, 3)
    assert worthwhile_slices(effort) == [3, 1, 4] and worthwhile_slices(effort, [3]) == [1, 4]


def test_what_is_not_annotated_in_the_new_slices_stays_as_it_was():
    former = np.full((3, 2, 2), IGNORE, np.uint8)
    former[1] = 1
    new = np.full((3, 2, 2), 2, np.uint8)
    new[1, 0] = IGNORE
    made = with_slices(new, former, 0, [1, 2])
    assert made[0].tolist() == [[255, 255]] * 2 and made[1].tolist() == [[1, 1], [2, 2]] and (made[2] == 2).all()
    assert (former[2] == IGNORE).all()
    np.testing.assert_array_equal(with_slices(new, None, 2, [1])[:, :, 0], np.full((3, 2), IGNORE))


def test_a_strategy_is_not_taken_where_slices_are_asked_for(tiny_project, capsys):
    assert main(["rank", str(tiny_project.path), "--slices", "case_3", "--strategy", "entropy", "--keep"]) == 2
    assert "--strategy and --keep rank cases" in capsys.readouterr().err
