"""Which case to look at next."""

from __future__ import annotations

import json
import math

import pytest
from metassl.project import MetaSSLError, write_json
from metassl.selection import STRATEGIES, get_strategy, rank, register


def summary(case: str, structure=1000, uc=5000, us=0, dc=0, ds=0, mean=0.1, mutual=0.02) -> dict:
    return {
        "case": case,
        "round": 1,
        "voxels": {"UC": uc, "US": us, "DC": dc, "DS": ds},
        "band_voxels": {"UC": 1000 - us - dc - ds, "US": us, "DC": dc, "DS": ds},
        "structure_voxels": structure,
        "mean_uncertainty": mean,
        "mutual_information": mutual,
    }


@pytest.fixture
def predicted(tiny_project):
    """A project with a round in which the given summaries were predicted."""

    def make(*summaries: dict):
        made = tiny_project.new_round({"config": {}})
        for content in summaries:
            path = made.prediction(content["case"]).summary
            path.parent.mkdir(parents=True)
            write_json(path, content)
        return tiny_project, made

    return make


def waiting(project) -> list[str]:
    return [case.id for case in project.unlabelled_cases()]


def test_the_case_with_the_most_conflict_comes_first(tiny_project, predicted):
    a, b, c = waiting(tiny_project)
    project, made = predicted(
        summary(a, us=100), summary(b, dc=200, ds=100, us=100), summary(c, dc=60)
    )
    ranking = rank(project, made)
    assert [entry["case"] for entry in ranking["cases"]] == [b, c, a]
    assert [entry["score"] for entry in ranking["cases"]] == pytest.approx([0.35, 0.06, 0.05])
    assert ranking["cases"][0]["parts"] == pytest.approx({"DC": 0.2, "DS": 0.1, "US": 0.05})
    assert "30 %" in ranking["cases"][0]["reason"]
    written = json.loads(made.ranking_path.read_text())
    assert written["strategy"] == "discrepancy" and written["cases"] == ranking["cases"]


def test_the_parts_add_up_to_the_score():
    for name in ("discrepancy", "entropy"):
        for content in (summary("a", us=70, dc=30, ds=11), summary("b", structure=0, us=4)):
            scored = get_strategy(name).score(content)
            assert sum(scored.parts.values()) == pytest.approx(scored.score)


def test_a_case_in_which_nothing_was_found_comes_first(tiny_project, predicted):
    a, b, _ = waiting(tiny_project)
    for strategy in ("discrepancy", "entropy"):
        project, made = predicted(summary(a, us=400, dc=300), summary(b, structure=0))
        top = rank(project, made, strategy)["cases"][0]
        assert top["case"] == b and "no structure was found" in top["reason"]


def test_labelled_cases_and_those_outside_the_pool_are_not_ranked(
    tiny_project, predicted, make_case, make_grid
):
    a, b, c = waiting(tiny_project)
    others = [case.id for case in tiny_project.validation_cases() + tiny_project.labelled_cases()]
    project, made = predicted(*(summary(case) for case in [a, b, c, *others]))
    project.update_case(c, state="rejected")
    project.add_label(b, (make_case(0)[1], make_grid()), state="corrected")
    assert {entry["case"] for entry in rank(project, made)["cases"]} == {a, c}


def test_cases_of_equal_score_keep_the_order_of_their_names(tiny_project, predicted):
    names = waiting(tiny_project)
    project, made = predicted(*(summary(case, us=10) for case in reversed(names)))
    assert [entry["case"] for entry in rank(project, made)["cases"]] == sorted(names)


def test_a_damaged_summary_is_skipped_and_named(tiny_project, predicted):
    a, b, c = waiting(tiny_project)
    lacking = summary(b)
    del lacking["band_voxels"]
    project, made = predicted(summary(a), lacking, summary(c))
    made.prediction(c).summary.write_text('{"case": ')
    ranking = rank(project, made)
    assert [entry["case"] for entry in ranking["cases"]] == [a]
    assert b in ranking["skipped"][b] and c in ranking["skipped"][c]


def test_a_score_that_is_not_finite_is_never_written(tiny_project, predicted):
    a, b, _ = waiting(tiny_project)
    project, made = predicted(summary(a, mean=math.nan), summary(b))
    assert list(rank(project, made, "entropy")["skipped"]) == [a]
    json.loads(made.ranking_path.read_text(), parse_constant=pytest.fail)


def test_random_order_is_stable_within_a_round_and_new_in_the_next():
    names = [f"case_{number}" for number in range(20)]

    def order(number: int) -> list[str]:
        strategy = get_strategy("random")
        return sorted(names, key=lambda n: strategy.score({"case": n, "round": number}).score)

    assert order(1) == order(1) != order(2)
    assert order(1) != names


def test_entropy_ranks_by_the_mean_uncertainty(tiny_project, predicted):
    a, b, c = waiting(tiny_project)
    project, made = predicted(summary(a, mean=0.2), summary(b, mean=0.4), summary(c, mean=0.3))
    assert [entry["case"] for entry in rank(project, made, "entropy")["cases"]] == [b, c, a]


def test_an_unknown_strategy_is_answered_with_the_known_ones():
    with pytest.raises(MetaSSLError, match="discrepancy, entropy, random"):
        get_strategy("cleverest")


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="entropy"):
        register("entropy")(object)
    assert "entropy" in STRATEGIES
