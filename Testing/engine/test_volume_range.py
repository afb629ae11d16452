"""The range of a volume: it holds the truth as often as it says."""

from __future__ import annotations

import numpy as np
import pytest
from metassl.evaluation.volume_range import MeasuredVolume, fit_volume_model, volume_range

NAME = "Liver"


def volumes(count: int, seed: int, bias: float = 0.0) -> list[MeasuredVolume]:
    """Cases of which half of the true volumes lie outside the range as it begins."""
    random = np.random.default_rng(seed)
    segmented = np.exp(random.normal(7, 0.5, count))
    true = segmented * np.exp(random.normal(bias, 0.15, count))
    return [
        MeasuredVolume(int(0.9 * each), int(1.1 * each), int(each), int(truth))
        for each, truth in zip(segmented, true, strict=True)
    ]


def held(model, cases) -> float:
    ranges = [volume_range(model, NAME, each.inner, each.outer, each.segmented) for each in cases]
    return float(np.mean([low <= each.true <= high for (low, high), each in zip(ranges, cases, strict=True)]))


@pytest.mark.parametrize("count", [3, 9, 20])
@pytest.mark.parametrize("bias", [0.0, 0.3])
def test_the_range_holds_the_truth_as_often_as_it_claims(count, bias):
    found, level = [], 0.0
    for seed in range(300):
        model = fit_volume_model({NAME: volumes(count, seed, bias)})
        level = model["level"]
        found.append(held(model, volumes(20, 1000 + seed, bias)))
    assert level == pytest.approx(min(0.9, count / (count + 1)))
    assert np.mean(found) >= level - 0.02
    assert held(None, volumes(2000, 0)) < 0.6  # as it begins it does not


def test_a_structure_that_is_often_missed_as_a_whole_has_no_range():
    missed = [MeasuredVolume(0, 0, 0, 500)] * 3
    model = fit_volume_model({NAME: [*volumes(6, 0), *missed], "Spleen": volumes(9, 1)})
    assert [*model["widening"]] == ["Spleen"]
    assert volume_range(model, NAME, 1, 2, 1) is None


def test_cases_without_the_structure_say_nothing():
    assert fit_volume_model({NAME: [MeasuredVolume(0, 0, 0, 0)] * 5}) is None
    assert fit_volume_model({}) is None


def test_what_was_not_measured_keeps_the_range_as_it_begins():
    assert volume_range(None, NAME, 8.0, 12.0, 10.0) == [8.0, 12.0]
    assert volume_range(None, NAME, 8.0, 12.0, 13.0) == [8.0, 13.0]  # of many classes the first may have 28 %
