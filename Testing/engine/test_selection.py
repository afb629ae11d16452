"""Which case to look at next: the ranking of a round, and what all strategies have in common."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from metassl.choices.strategies import DEFAULT_STRATEGY, STRATEGY_NAMES
from metassl.cli import main
from metassl.files import MetaSSLError, write_json
from metassl.project.records import Summary
from metassl.project.round_files import read_ranking
from metassl.project.structure_changes import rename_structure
from metassl.selection.base import get_strategy
from metassl.selection.candidate import Candidate
from metassl.selection.context import Context
from metassl.selection.rank import rank
from MetaSSLSlicerLib.Logic.Project import Ranking
from MetaSSLSlicerLib.Logic.Project.CaseTable import readRows
from summaries import new_summary, old_summary

ALL = sorted(STRATEGY_NAMES)


@pytest.fixture
def predicted(tiny_project):
    """A project with a round in which the given summaries were predicted."""

    def make(*summaries: dict):
        made = tiny_project.new_round({"config": {"seed": 1}, "labels": {}})
        for content in summaries:
            path = made.prediction(content["case"]).summary
            path.parent.mkdir(parents=True)
            write_json(path, content)
        return tiny_project, made

    return make


def waiting(project) -> list[str]:
    return [case.id for case in project.unlabelled_cases()]


def test_the_catalog_and_the_panel_name_the_same_strategies_once_each():
    assert len(set(ALL)) == len(ALL) and "entropy" in ALL
    assert sorted(name for name, _ in Ranking.STRATEGIES()) == ALL
    assert Ranking.DEFAULT == DEFAULT_STRATEGY == Ranking.STRATEGIES()[0][0]


def test_the_ranking_is_written_with_score_parts_and_reason(tiny_project, predicted):
    a, b, c = waiting(tiny_project)
    project, made = predicted(old_summary(a, us=100), old_summary(b, dc=200, ds=100, us=100), old_summary(c, dc=60))
    ranking = rank(project, made)
    assert [entry.case for entry in ranking.cases] == [b, c, a]
    written = json.loads(made.ranking_path.read_text(encoding="utf-8"))
    assert all(set(entry) == {"case", "score", "parts", "reason", "seconds"} for entry in written["cases"])
    assert written["strategy"] == "combined" and written["skipped"] == {}
    assert written["cases"] == ranking.to_json()["cases"] and read_ranking(made) == ranking


@pytest.mark.parametrize("make", [old_summary, new_summary], ids=["old", "new"])
@pytest.mark.parametrize("name", ALL)
def test_every_strategy_orders_all_cases_with_falling_scores_and_a_reason(name, make):
    candidates = [
        Candidate(f"case_{n:02d}", Summary.of(make(f"case_{n:02d}", us=9 * n, dc=5 * (n % 7), ds=n))) for n in range(12)
    ]
    context = Context(round=2, seed=3)
    ordered = get_strategy(name).order(candidates, context)
    assert sorted(each.case for each in ordered) == [each.case for each in candidates]
    scores = [each.score for each in ordered]
    assert scores == sorted(scores, reverse=True) and all(map(math.isfinite, scores))
    assert all(len(each.reason) > 8 and "\n" not in each.reason for each in ordered)
    assert get_strategy(name).order(candidates[::-1], context) == ordered
    assert get_strategy(name).order([], context) == []
    json.dumps([each.parts for each in ordered], allow_nan=False)


@pytest.mark.parametrize("name", ALL)
def test_old_and_new_summaries_side_by_side_are_ranked(name):
    candidates = [
        Candidate("a", Summary.of(old_summary("a", us=10))),
        Candidate("b", Summary.of(new_summary("b", us=50, dc=9))),
        Candidate("c", Summary.of(new_summary("c", features=None))),
    ]
    assert len(get_strategy(name).order(candidates, Context())) == 3


@pytest.mark.parametrize("name", ["discrepancy", "entropy", "combined"])
@pytest.mark.parametrize("make", [old_summary, new_summary], ids=["old", "new"])
def test_a_case_in_which_nothing_was_found_comes_first(name, make, tiny_project, predicted):
    a, b, c = waiting(tiny_project)
    nothing = make(b, structure=0, features=[1.0, 2.0])
    others = [make(case, us=300, dc=60, features=[0.0, 2.5 * n]) for n, case in enumerate((a, c))]
    project, made = predicted(nothing, *others)
    top = rank(project, made, name).cases[0]
    assert top.case == b and "no structure was found" in top.reason


def test_a_ranking_calls_a_structure_by_the_name_that_it_has_now(tiny_project, predicted, capsys):
    a, b, _c = waiting(tiny_project)
    names = {"volume_ml": {"Front": 0.5, "Back": 0.5}, "values": [1, 2]}
    summaries = [{**new_summary(case, us=90, dc=60), **names} for case in (a, b)]
    summaries[0]["classes"]["Back"]["DC"] = 400
    project, made = predicted(*summaries)
    assert "above all for Back" in rank(project, made).cases[0].reason
    rename_structure(project, 2, "Front (old)")
    rename_structure(project, 1, "Back")
    then = read_ranking(made)
    now = read_ranking(made, project.labels)
    assert "above all for Back" in then.cases[0].reason and "above all for Front (old)" in now.cases[0].reason
    assert "above all for Front (old)" in rank(project, made).cases[0].reason, "the summaries know the old names"
    assert read_ranking(made, project.labels) == read_ranking(made), "it is written by the present ones"
    assert [row.reason for row in readRows(project, [a])] == [read_ranking(made).cases[0].reason]
    rename_structure(project, 2, "Rear")
    assert main(["status", str(project.path)]) == 0 and "above all for Rear" in capsys.readouterr().out


def test_labelled_cases_and_those_outside_the_pool_are_not_ranked(tiny_project, predicted, make_case, make_grid):
    a, b, c = waiting(tiny_project)
    others = [case.id for case in tiny_project.validation_cases() + tiny_project.labelled_cases()]
    project, made = predicted(*(old_summary(case) for case in [a, b, c, *others]))
    project.update_case(c, state="rejected")
    project.add_label(b, (make_case(0)[1], make_grid()), state="corrected")
    assert {entry.case for entry in rank(project, made).cases} == {a, c}


def test_cases_of_equal_score_keep_the_order_of_their_names(tiny_project, predicted):
    names = waiting(tiny_project)
    project, made = predicted(*(old_summary(case, us=10) for case in reversed(names)))
    for strategy in ("discrepancy", "entropy", "combined", "diversity"):
        assert [entry.case for entry in rank(project, made, strategy).cases] == sorted(names)


def test_a_damaged_summary_is_skipped_and_named(tiny_project, predicted):
    a, b, c = waiting(tiny_project)
    lacking = old_summary(b)
    del lacking["band_voxels"]
    project, made = predicted(old_summary(a), lacking, old_summary(c))
    made.prediction(c).summary.write_text('{"case": ', encoding="utf-8")
    ranking = rank(project, made)
    assert [entry.case for entry in ranking.cases] == [a]
    assert b in ranking.skipped[b] and c in ranking.skipped[c]
    assert {entry.case for entry in rank(project, made, "entropy").cases} == {a, b}


@pytest.mark.parametrize("damage", [{"classes": {"Front": {"voxels": 3}}}, {"classes": []}, {"voxel_ml": None}])
def test_damaged_counts_of_a_structure_are_skipped_and_named(damage, tiny_project, predicted):
    a, b, _ = waiting(tiny_project)
    project, made = predicted(new_summary(a), {**new_summary(b), **damage})
    for strategy in ("discrepancy", "combined", "clasp_pe", "foreground_random"):
        ranking = rank(project, made, strategy)
        assert [entry.case for entry in ranking.cases] == [a] and list(ranking.skipped) == [b]


def test_a_number_that_is_not_finite_is_never_written(tiny_project, predicted):
    a, b, _ = waiting(tiny_project)
    project, made = predicted(old_summary(a, mean=math.nan), old_summary(b))
    assert list(rank(project, made, "entropy").skipped) == [a]
    json.loads(made.ranking_path.read_text(encoding="utf-8"), parse_constant=pytest.fail)


def test_the_context_of_a_round_comes_from_its_files(tiny_project):
    made = tiny_project.new_round({"config": {"seed": 7}, "labels": {"case_0": "v", "case_1": "v"}})
    old = Context.of(made)
    assert (old.round, old.seed, old.error_rates) == (1, 7, None)
    assert [each.case for each in old.labelled] == ["case_0", "case_1"] and old.labelled[0].features is None
    entry = {"features": [1.0, 2.0], "volume_ml": {"Front": 0.5}}
    write_json(made.path / "labelled.json", {"cases": {"case_0": entry}})
    write_json(made.path / "error_rates.json", {"rates": {"US": 0.2}})
    new = Context.of(made)
    assert new.error_rates == {"US": 0.2} and np.array_equal(new.labelled[0].features, [1.0, 2.0])
    assert new.labelled[0].volumes == {"Front": 0.5}
    (made.path / "labelled.json").write_text("{", encoding="utf-8")
    assert [each.case for each in Context.of(made).labelled] == ["case_0", "case_1"]


def test_an_unknown_strategy_is_answered_with_the_known_ones():
    with pytest.raises(MetaSSLError, match="clasp_pe, combined, deep_errors, discrepancy, diversity, entropy"):
        get_strategy("cleverest")
