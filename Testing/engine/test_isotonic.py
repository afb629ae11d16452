"""The rising map from uncertainty to P(error)."""

import numpy as np
import pytest
from metassl.evaluation.uncertainty import (
    BINS,
    CENTRES,
    UncertaintyScore,
    apply_calibration,
    calibration_error,
    calibration_error_on_unseen,
    fit_isotonic,
)


def histogram(seed: int, voxels: int = 20_000) -> UncertaintyScore:
    """Voxels whose P(error) is half the square of their uncertainty."""
    random = np.random.default_rng(seed)
    uncertainty = random.random(voxels)
    score = UncertaintyScore()
    score.add(uncertainty, random.random(voxels) < uncertainty**2 / 2, np.ones(voxels, bool))
    return score


def test_violators_are_pooled_into_their_mean():
    counts = np.zeros((2, BINS), int)
    for bin_, right, wrong in ((1000, 9, 1), (2000, 5, 5), (2500, 9, 1), (4000, 1, 9)):
        counts[:, bin_] = right, wrong
    fitted = fit_isotonic(counts)
    assert fitted["error"] == pytest.approx([0.1, 0.3, 0.9])
    assert np.all(np.diff(fitted["uncertainty"]) > 0)
    found = apply_calibration(fitted, np.linspace(0, 1, 50, dtype=np.float32))
    assert found.dtype == np.float32 and np.all(np.diff(found) >= 0) and found[0] == pytest.approx(0.1)


def test_it_finds_the_true_probability_and_lowers_the_calibration_error_of_new_cases():
    score, new = histogram(0), histogram(1)
    fitted = fit_isotonic(score.counts)
    assert apply_calibration(fitted, np.array([0.5, 0.8])) == pytest.approx([0.125, 0.32], abs=0.04)
    before, after = calibration_error(new.counts), calibration_error(new.counts, apply_calibration(fitted, CENTRES))
    assert before == pytest.approx(new.ece, abs=1e-3) and before > 0.3
    assert after < 0.02


def test_the_error_on_unseen_cases_needs_three_of_them():
    counts = [histogram(seed).counts for seed in range(3)]
    assert calibration_error_on_unseen(counts[:2]) is None
    assert calibration_error_on_unseen(counts) < 0.02


def test_nothing_is_fitted_on_nothing():
    assert fit_isotonic(np.zeros((2, BINS), int)) is None
    assert calibration_error(np.zeros((2, BINS), int)) is None
