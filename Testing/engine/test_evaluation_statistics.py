"""Intervals, the error table of the regions and the score of the uncertainty."""

from __future__ import annotations

import math

import numpy as np
import pytest
from metassl.evaluation.bootstrap import bootstrap_interval, bootstrap_pooled, bootstrap_ratio
from metassl.evaluation.region_errors import RegionErrors, foreground_band
from metassl.evaluation.uncertainty import UncertaintyScore


def exact_auroc(values: np.ndarray, wrong: np.ndarray) -> float:
    """From the ranks, ties at their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positives = wrong.sum()
    return (ranks[wrong].sum() - positives * (positives + 1) / 2) / (positives * (~wrong).sum())


def scored(values: np.ndarray, wrong: np.ndarray) -> UncertaintyScore:
    score = UncertaintyScore()
    score.add(values, wrong, np.ones(values.shape, bool))
    return score


# Intervals


def test_the_interval_holds_the_mean_and_narrows_with_more_cases():
    random = np.random.default_rng(0)
    few, many = random.normal(0.8, 0.1, 10), random.normal(0.8, 0.1, 1000)
    low, high = bootstrap_interval(few)
    assert low < few.mean() < high
    narrow = bootstrap_interval(many)
    assert narrow[1] - narrow[0] < (high - low) / 4
    # For many cases the interval is the one of the normal distribution.
    half = 1.96 * many.std() / math.sqrt(1000)
    assert narrow == pytest.approx((many.mean() - half, many.mean() + half), abs=0.0006)


def test_the_same_seed_gives_the_same_interval():
    values = np.random.default_rng(1).random(20)
    assert bootstrap_interval(values) == bootstrap_interval(values)
    assert bootstrap_interval(values) != bootstrap_interval(values, seed=1)


def test_values_that_are_not_defined_are_left_out_of_the_interval():
    values = np.array([0.7, 0.8, 0.9, 0.75])
    padded = np.array([0.7, math.nan, 0.8, 0.9, 0.75, math.nan])
    assert bootstrap_interval(padded) == bootstrap_interval(values)


def test_a_class_that_some_cases_lack_is_averaged_over_those_that_have_it():
    values = [[0.5, 0.9], [0.5, math.nan], [0.5, 0.9], [0.5, 0.9]]
    assert bootstrap_interval(values) == pytest.approx((0.7, 0.7))


@pytest.mark.parametrize("values", [[], [0.5], [0.5, math.nan], np.zeros((0, 2))])
def test_fewer_than_two_cases_have_no_interval(values):
    assert all(math.isnan(end) for end in bootstrap_interval(values))


def test_equal_cases_have_an_interval_of_no_width():
    assert bootstrap_interval([[0.5, 0.7]] * 5) == pytest.approx((0.6, 0.6))


def test_a_ratio_is_resampled_by_case_and_not_by_voxel():
    errors, voxels = np.array([0, 50]), np.array([100, 100])
    low, high = bootstrap_ratio(errors, voxels)
    assert (low, high) == (0.0, 0.5)
    low, high = bootstrap_pooled(np.stack([errors, voxels], axis=1), lambda pair: pair[0] / pair[1])
    assert (low, high) == (0.0, 0.5)


# Regions


def test_the_error_table_is_counted_as_by_hand():
    regions = np.array([[[1, 1, 1, 1, 1, 1, 2, 2, 3, 4, 0, 0]]], np.uint8)
    wrong = np.array([[[0, 0, 0, 0, 0, 1, 0, 1, 1, 1, 1, 1]]], bool)
    valid = np.array([[[1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1]]], bool)
    errors = RegionErrors()
    errors.add(regions, wrong, valid)
    table = errors.table()
    assert list(table) == ["UC", "US", "DC", "DS"]
    assert table["UC"] == {
        "voxels": 6,
        "errors": 1,
        "error_rate": pytest.approx(1 / 6),
        "share_of_volume": pytest.approx(6 / 9),
        "share_of_errors": pytest.approx(1 / 3),
    }
    assert table["US"]["error_rate"] == 0.5
    assert table["DC"]["error_rate"] == 1.0
    assert table["DS"]["voxels"] == 0 and table["DS"]["error_rate"] is None
    assert errors.flagged()["share_of_errors"] == pytest.approx(2 / 3)
    assert sum(row["share_of_volume"] for row in table.values()) == pytest.approx(1)


def test_cases_add_up_in_the_error_table():
    random = np.random.default_rng(3)
    regions = random.integers(0, 5, (6, 7, 8)).astype(np.uint8)
    wrong, valid = random.random(regions.shape) < 0.3, random.random(regions.shape) < 0.9
    halves, whole = RegionErrors(), RegionErrors()
    for part in (slice(0, 2), slice(2, 6)):
        halves.add(regions[part], wrong[part], valid[part])
    whole.add(regions, wrong, valid)
    assert halves.table() == whole.table()


def test_a_map_that_is_no_region_map_is_refused():
    ones = np.ones((2, 2, 2), bool)
    with pytest.raises(ValueError, match="not 7"):
        RegionErrors().add(np.full((2, 2, 2), 7, np.uint8), ones, ones)


def test_the_band_reaches_its_voxels_round_prediction_and_truth_and_no_further():
    prediction, truth = np.zeros((1, 9, 30), np.uint8), np.zeros((1, 9, 30), np.uint8)
    prediction[0, 4, 5] = 1
    truth[0, 4, 20] = 2
    truth[0, 0, 29] = 255
    band = foreground_band(prediction, truth, 3)
    expected = np.zeros_like(band)
    expected[0, 1:8, 2:9] = True
    expected[0, 1:8, 17:24] = True
    assert np.array_equal(band, expected)


# Uncertainty


@pytest.mark.parametrize("power", [1, 4, 12])
def test_auroc_from_the_histogram_is_that_of_the_exact_ranks(power):
    random = np.random.default_rng(power)
    values = (random.random((40, 50, 60)) ** power).astype(np.float32)
    wrong = random.random(values.shape) < 0.02 + 0.2 * values ** (1 / power)
    found = scored(values, wrong).auroc
    assert found == pytest.approx(exact_auroc(values, wrong), abs=1e-3)
    assert found > 0.55


def test_auroc_of_a_confident_model_is_exact_where_almost_all_values_are_tiny():
    random = np.random.default_rng(5)
    values = np.exp(-random.gamma(2.0, 3.0, 200_000)).astype(np.float32)
    wrong = random.random(values.size) < np.clip(values * 2, 0, 0.9)
    assert scored(values, wrong).auroc == pytest.approx(exact_auroc(values, wrong), abs=1e-3)


def test_constant_uncertainty_is_worth_nothing_and_perfect_uncertainty_everything():
    wrong = np.arange(1000) < 50
    assert scored(np.full(1000, 0.25), wrong).auroc == 0.5
    perfect = scored(np.where(wrong, 0.9, 0.1), wrong)
    assert perfect.auroc == 1.0
    assert perfect.auprc == pytest.approx(1.0)
    assert scored(np.where(wrong, 0.1, 0.9), wrong).auroc == 0.0


def test_auprc_is_average_precision_worked_out_by_hand():
    values = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    wrong = np.array([True, False, True, False, False])
    assert scored(values, wrong).auprc == pytest.approx((1 / 1 + 2 / 3) / 2)


def test_calibration_error_is_zero_for_rates_that_equal_the_uncertainty():
    values = np.repeat([0.1, 0.5], 1000)
    wrong = np.concatenate([np.arange(1000) < 100, np.arange(1000) < 500])
    honest = scored(values, wrong)
    assert honest.ece == pytest.approx(0.0, abs=1e-9)
    assert [row["error_rate"] for row in honest.reliability()] == pytest.approx([0.1, 0.5])
    assert scored(values, np.zeros(2000, bool)).ece == pytest.approx(0.3)


def test_the_most_uncertain_voxels_hold_the_errors_that_were_put_there():
    values = np.linspace(0, 1, 1000)
    wrong = np.zeros(1000, bool)
    wrong[995:] = True  # five errors in the top percent, five just below the top ten percent
    wrong[890:895] = True
    top = scored(values, wrong).errors_in_flagged_share()
    assert list(top) == ["1", "5", "10", "15"]
    assert top["1"] == pytest.approx(0.5) and top["5"] == pytest.approx(0.5)
    assert top["15"] == pytest.approx(1.0)


def test_scores_of_parts_merge_into_the_score_of_the_whole():
    random = np.random.default_rng(9)
    values, wrong = random.random(5000), random.random(5000) < 0.1
    merged = scored(values[:1000], wrong[:1000])
    merged.merge(scored(values[1000:], wrong[1000:]))
    whole = scored(values, wrong)
    assert merged.summary() == pytest.approx(whole.summary())


def test_only_valid_voxels_are_scored():
    values, wrong = np.array([0.1, 0.9, 0.99]), np.array([False, True, False])
    score = UncertaintyScore()
    score.add(values, wrong, np.array([True, True, False]))
    assert score.auroc == 1.0


def test_without_errors_there_is_no_auroc_and_no_share():
    score = scored(np.linspace(0, 1, 10), np.zeros(10, bool))
    assert score.auroc is None and score.auprc is None
    assert set(score.errors_in_flagged_share().values()) == {None}
    assert UncertaintyScore().summary()["ece"] is None


@pytest.mark.parametrize("bad", [math.nan, -0.1, 1.5])
def test_an_uncertainty_outside_zero_to_one_is_refused(bad):
    with pytest.raises(ValueError, match="outside"):
        scored(np.array([0.2, bad]), np.array([True, False]))
