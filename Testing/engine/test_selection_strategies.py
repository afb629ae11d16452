"""What each strategy goes by."""

from __future__ import annotations

import time
from collections import Counter

import numpy as np
import pytest
from metassl.project.records import Summary
from metassl.selection.base import CASE_SECONDS, VOXEL_SECONDS, annotation_minutes, get_strategy
from metassl.selection.candidate import Candidate
from metassl.selection.clasp_pe import beta
from metassl.selection.context import Context, LabelledCase
from summaries import new_summary, old_summary


def order(name: str, summaries: list[dict], context: Context | None = None) -> list[str]:
    return [each.case for each in scored(name, summaries, context)]


def scored(name: str, summaries: list[dict], context: Context | None = None):
    candidates = [Candidate(content["case"], Summary.of(content)) for content in summaries]
    return get_strategy(name).order(candidates, context or Context())


def structure(voxels=1000, us=0, dc=0, ds=0, entropy=0.0) -> dict:
    return {"voxels": voxels, "US": us, "DC": dc, "DS": ds, "entropy": entropy}


def two(case: str, front: dict, back: dict, **more) -> dict:
    """A summary whose band holds what its two structures hold."""
    counts = {key.lower(): front[key] + back[key] for key in ("US", "DC", "DS")}
    classes = {"Front": front, "Back": back}
    return new_summary(case, classes=classes, structure=front["voxels"] + back["voxels"], **counts, **more)


# ------------------------------------------------------------------ random and foreground-aware random


def test_random_order_is_stable_within_a_round_and_new_with_round_and_seed():
    names = [f"case_{number}" for number in range(20)]
    summaries = [old_summary(name) for name in names]
    first = order("random", summaries, Context(1))
    assert first == order("random", summaries[::-1], Context(1)) != names
    assert first != order("random", summaries, Context(2)) and first != order("random", summaries, Context(1, seed=5))


def test_random_needs_no_summary_at_all():
    ordered = get_strategy("random").order([Candidate("a"), Candidate("b")], Context())
    assert {each.case for each in ordered} == {"a", "b"}


def test_foreground_random_gives_a_rare_structure_as_many_turns_as_a_common_one():
    rare = [two(f"rare_{n}", structure(), structure()) for n in range(2)]
    common = [two(f"common_{n:02d}", structure(), structure(voxels=0)) for n in range(18)]
    firsts = [order("foreground_random", rare + common, Context(seed=seed))[0] for seed in range(200)]
    share = sum(name.startswith("rare") for name in firsts) / len(firsts)
    assert 0.45 < share < 0.65  # half by the rare structure, a tenth of the other half; at random 0.1


def test_foreground_random_puts_cases_without_any_structure_last():
    summaries = [two("empty", structure(voxels=0), structure(voxels=0))]
    summaries += [two(f"full_{n}", structure(), structure()) for n in range(3)]
    for seed in range(5):
        ordered = scored("foreground_random", summaries, Context(seed=seed))
        assert ordered[-1].case == "empty" and "no structure" in ordered[-1].reason
        assert "show " in ordered[0].reason


def test_foreground_random_places_every_case_once_and_draws_each_case_of_a_structure_alike():
    summaries = [two(f"case_{n}", structure(), structure(voxels=n % 2)) for n in range(4)]
    orders = [order("foreground_random", summaries, Context(seed=seed)) for seed in range(300)]
    assert all(sorted(each) == [f"case_{n}" for n in range(4)] for each in orders)
    firsts = Counter(each[0] for each in orders)
    # the first structure is in all four, the second in the odd two
    assert firsts["case_0"] + firsts["case_2"] == pytest.approx(75, abs=25)
    assert firsts["case_1"] == pytest.approx(firsts["case_3"], abs=40)
    assert order("foreground_random", summaries[::-1], Context(seed=3)) == orders[3]


def test_foreground_random_takes_moments_with_thousands_of_cases():
    summaries = [two(f"case_{n:05d}", structure(), structure(voxels=n % 3)) for n in range(8000)]
    begin = time.process_time()
    assert len(set(order("foreground_random", summaries))) == 8000
    assert time.process_time() - begin < 1.5


# ------------------------------------------------------------------ entropy


def test_entropy_ranks_by_the_mean_uncertainty_and_its_parts_add_up():
    ordered = scored("entropy", [old_summary("a", mean=0.2), old_summary("b", mean=0.4), old_summary("c", mean=0.3)])
    assert [each.case for each in ordered] == ["b", "c", "a"]
    assert all(sum(each.parts.values()) == pytest.approx(each.score) for each in ordered)


# ------------------------------------------------------------------ discrepancy


def test_discrepancy_is_the_expected_wrong_share_of_each_structure_per_minute():
    context = Context(error_rates={"UC": 0.01, "US": 0.2, "DC": 0.5, "DS": 0.4})
    summaries = [two("a", structure(1000, us=100, dc=20), structure(200, ds=50)), two("b", structure(), structure(200))]
    first = scored("discrepancy", summaries, context)[0]
    minutes = (CASE_SECONDS + VOXEL_SECONDS * (20 + 10 + 20)) / 60
    assert first.case == "a"
    assert first.parts == pytest.approx({"Front": 100 * 30 / 1000 / minutes, "Back": 100 * 20 / 200 / minutes})
    assert first.score == pytest.approx(sum(first.parts.values()))
    assert "50 voxels are expected to be wrong" in first.reason and "Back" in first.reason


def test_before_error_rates_are_measured_the_reason_promises_none():
    first = scored("discrepancy", [two("a", structure(us=70, dc=20), structure(ds=5)), two("b", *[structure()] * 2)])[0]
    assert "expected" not in first.reason
    assert "differ on 25 voxels" in first.reason and "unsure of 70 more" in first.reason and "Front" in first.reason


def test_a_rate_that_could_not_be_measured_is_assumed():
    context = Context(error_rates={"US": 0.2, "DC": None, "DS": 0.4})
    first = scored("discrepancy", [two("a", structure(dc=20), structure()), two("b", *[structure()] * 2)], context)[0]
    assert first.case == "a" and first.score > 0


def test_a_small_structure_counts_as_much_as_a_large_one():
    large = two("large", structure(10_000, ds=400), structure(100))
    small = two("small", structure(10_000), structure(100, ds=10))
    assert order("discrepancy", [large, small]) == ["small", "large"]


def test_more_errors_of_the_same_mix_never_come_later_yet_the_score_is_bounded():
    def case(n: int) -> dict:
        return two(f"case_{n:02d}", structure(1000, ds=4**n), structure(1000, ds=4**n))

    ordered = scored("discrepancy", [case(n) for n in range(10)])
    assert [each.case for each in ordered] == [f"case_{n:02d}" for n in reversed(range(10))]
    bound = 100 / 1000 * 60 / VOXEL_SECONDS
    assert ordered[0].score < bound and ordered[0].score > 0.9 * bound


def test_the_typical_size_is_that_of_the_annotations_where_there_are_any():
    summaries = [two("a", structure(10, ds=10), structure()), two("b", structure(10), structure(ds=100))]
    assert order("discrepancy", summaries) == ["a", "b"]
    labelled = (LabelledCase("l", volumes={"Front": 1.0, "Back": 1.0}),)
    assert order("discrepancy", summaries, Context(labelled=labelled)) == ["b", "a"]


def test_a_structure_that_all_labelled_cases_have_is_missed_and_named():
    summaries = [two("a", structure(voxels=0), structure()), two("b", structure(ds=50), structure(ds=50))]
    labelled = (LabelledCase("l", volumes={"Front": 1.0, "Back": 1.0}),)
    first = scored("discrepancy", summaries, Context(labelled=labelled))[0]
    assert first.case == "a" and "Front was not found" in first.reason
    some = tuple(LabelledCase(f"l{n}", volumes={"Front": n % 2, "Back": 1.0}) for n in range(4))
    assert order("discrepancy", summaries, Context(labelled=some)) == ["b", "a"]


def test_volumes_in_ml_make_cases_of_different_spacing_comparable():
    coarse = {**two("coarse", structure(1000, ds=50), structure()), "voxel_ml": 0.008}
    fine = two("fine", structure(8000, ds=300), structure(8000))
    labelled = (LabelledCase("l", volumes={"Front": 8.0, "Back": 8.0}),)
    assert order("discrepancy", [coarse, fine], Context(labelled=labelled)) == ["coarse", "fine"]


def test_minutes_are_a_fixed_time_and_one_per_voxel():
    assert annotation_minutes(0) == CASE_SECONDS / 60
    assert annotation_minutes(1200) == pytest.approx(annotation_minutes(0) + 1200 * VOXEL_SECONDS / 60)


# ------------------------------------------------------------------ diversity and the combination


def on_a_line(places, **counts) -> list[dict]:
    return [new_summary(f"at_{place:g}", features=[place], **counts) for place in places]


def test_k_centre_takes_the_farthest_case_and_then_the_farthest_from_both():
    context = Context(labelled=(LabelledCase("l", np.array([0.0])),))
    ordered = scored("diversity", on_a_line([0.0, 4.0, 5.0, 10.0]), context)
    assert [each.case for each in ordered] == ["at_10", "at_5", "at_4", "at_0"]
    ratio = ordered[0].score / ordered[1].score
    assert ratio == pytest.approx(2.0) and ordered[-1].score == 0.0
    assert "unlike every labelled case" in ordered[0].reason and "above it" in ordered[1].reason


def test_without_features_of_labelled_cases_the_average_case_counts_as_labelled():
    ordered = scored("diversity", on_a_line([0.0, 1.0, 2.0, 9.0]))
    assert ordered[0].case == "at_9" and "average case" in ordered[0].reason


def test_cases_without_features_come_last_and_say_why():
    others = [new_summary("without", features=None), new_summary("other_network", features=[1.0, 2.0])]
    ordered = scored("diversity", [*on_a_line([0.0, 1.0, 7.0]), *others])
    assert {each.case for each in ordered[-2:]} == {"without", "other_network"}
    assert all("not known" in each.reason for each in ordered[-2:])


def test_the_combination_weighs_gain_with_distance():
    context = Context(labelled=(LabelledCase("l", np.array([0.0])),))
    near, far = new_summary("near", features=[1.0], ds=100), new_summary("far", features=[9.0], ds=60)
    other = new_summary("other", features=[5.0], ds=10)
    assert order("discrepancy", [near, far, other], context)[0] == "near"
    ordered = scored("combined", [near, far, other], context)
    assert ordered[0].case == "far" and "very unlike the labelled cases" in ordered[0].reason
    assert ordered[0].score == pytest.approx(ordered[0].parts["gain"] * ordered[0].parts["novelty"])


def test_the_combination_does_not_take_two_of_a_kind_in_a_row():
    context = Context(labelled=(LabelledCase("l", np.array([0.0])),))
    twins = [new_summary(name, features=[9.0], ds=100) for name in ("twin_1", "twin_2")]
    other = new_summary("other", features=[4.0], ds=40)
    assert order("combined", [*twins, other], context) == ["twin_1", "other", "twin_2"]


def test_without_any_features_the_combination_is_discrepancy():
    summaries = [old_summary(f"case_{n}", us=7 * n % 5, ds=3 * n % 7) for n in range(7)]
    assert order("combined", summaries) == order("discrepancy", summaries)


# ------------------------------------------------------------------ ClaSP PE


def test_clasp_pe_asks_for_each_structure_in_turn_once_the_noise_is_gone():
    front = [two(f"front_{n}", structure(entropy=100 + n), structure(entropy=1), mean=0.01) for n in range(3)]
    back = [two(f"back_{n}", structure(entropy=1), structure(entropy=10 + n), mean=0.01) for n in range(3)]
    seen = set()
    for seed in range(30):
        ordered = scored("clasp_pe", front + back, Context(round=9, seed=seed))
        asked = {each.reason.rsplit(" ", 1)[-1]: each.case for each in reversed(ordered)}
        seen |= {ordered[0].case}
        assert asked.get("Front", "front_2").startswith("front") and asked.get("Back", "back_2").startswith("back")
    assert {"front_2", "back_2"} <= seen


def test_the_noise_of_clasp_pe_decays_over_the_rounds():
    assert [beta(number) for number in (1, 3, 5, 50)] == pytest.approx([1.0, 10.0, 100.0, 100.0])
    summaries = [
        two(f"case_{n}", structure(entropy=1.3**n), structure(entropy=1.3**n), mean=0.01 * 1.3**n) for n in range(10)
    ]

    def firsts(number: int) -> list[str]:
        return [order("clasp_pe", summaries, Context(number, seed=seed))[0] for seed in range(40)]

    assert len(set(firsts(1))) > 3 and set(firsts(9)) == {"case_9"}
