"""What the choice of the next case needs: counts per structure and features, taken while a case is predicted."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from metassl.inference.case_statistics import CaseStatistics
from metassl.inference.features import LENGTH, BottleneckMean, image_features, shortened
from metassl.inference.region_map import region_map
from metassl.inference.sliding_window import predict_pair
from metassl.networks.unet import build_network
from metassl.project import LabelDefinition

CPU = torch.device("cpu")
LABELS = [LabelDefinition(5, "Front"), LabelDefinition(9, "Back")]
CERTAIN, UNSURE = 0.99, 0.6


def softmax(*voxels: tuple[int, float]) -> torch.Tensor:
    """(3, 1, 1, n): voxels of (class, its probability), the rest shared by the other two."""
    result = torch.empty(3, 1, 1, len(voxels))
    for place, (label, probability) in enumerate(voxels):
        result[:, 0, 0, place] = (1 - probability) / 2
        result[label, 0, 0, place] = probability
    return result


def classes(first: torch.Tensor, second: torch.Tensor) -> tuple[dict, torch.Tensor]:
    maps = region_map(first, second, torch.full((2, 3), 0.9))
    statistics = CaseStatistics([0, 5, 9], [1.0, 2.0])
    half = first.shape[3] // 2
    for part in (slice(0, half), slice(half, None)):  # in rows, as a case is put back on its grid
        rows = type(maps)(*(each[..., part] for each in vars(maps).values()))
        statistics.add(first[..., part], second[..., part], rows)
    voxels = np.zeros(256, int)
    voxels[[5, 9]] = 40, 50
    assert statistics.features == [1.0, 2.0]
    return statistics.classes(voxels, LABELS), maps.uncertainty


def test_discrepant_voxels_count_for_both_structures_and_unsure_ones_for_their_own():
    pairs = [
        ((1, CERTAIN), (1, CERTAIN)),  # UC
        ((1, UNSURE), (1, CERTAIN)),  # US of Front
        ((1, CERTAIN), (2, UNSURE)),  # DC between Front and Back
        ((2, UNSURE), (0, UNSURE)),  # DS between Back and the background
        ((2, UNSURE), (1, UNSURE)),  # DS between both
        ((0, UNSURE), (0, UNSURE)),  # US of the background
    ]
    found, _ = classes(softmax(*(a for a, _ in pairs)), softmax(*(b for _, b in pairs)))
    without = {name: {k: v for k, v in each.items() if k != "entropy"} for name, each in found.items()}
    assert without == {
        "Front": {"voxels": 40, "US": 1, "DC": 1, "DS": 1},
        "Back": {"voxels": 50, "US": 0, "DC": 1, "DS": 2},
    }


def test_the_entropy_of_a_structure_is_weighted_with_its_probability():
    first = softmax((1, UNSURE), (2, CERTAIN), (0, 0.9999), (1, 0.5))
    second = softmax((1, UNSURE), (2, CERTAIN), (0, 0.9999), (2, 0.7))
    found, uncertainty = classes(first, second)
    mean = (first + second) / 2
    expected = (mean * uncertainty)[:, 0, 0, [0, 3]].sum(1) + mean[:, 0, 0, 1] * uncertainty[0, 0, 1]
    for label, value in zip(LABELS, expected[1:], strict=True):
        assert found[label.name]["entropy"] == pytest.approx(float(value), abs=2e-3)
    assert float(uncertainty[0, 0, 0]) == pytest.approx(
        -(UNSURE * math.log(UNSURE) + 0.4 * math.log(0.2)) / math.log(3), rel=1e-5
    )


@pytest.mark.parametrize("shape", [(16, 16, 16), (30, 20, 40), (9, 30, 12)])
def test_features_of_the_prediction_are_those_of_the_network_alone(shape, tiny_plan):
    plan, random = tiny_plan(), np.random.default_rng(3)
    torch.manual_seed(3)
    networks = build_network(plan).eval(), build_network(plan).eval()
    image = random.normal(size=(1, *shape)).astype(np.float16)
    with BottleneckMean(networks[0]) as features:
        with_features = predict_pair(networks, image, plan, CPU)
    vector = features.vector()
    assert len(vector) == plan.filters[-1] and np.std(vector) > 0
    assert vector == pytest.approx(image_features(networks[0], image, plan, CPU), rel=1e-3, abs=1e-5)
    assert np.array_equal(with_features, predict_pair(networks, image, plan, CPU))
    assert features.vector() == vector, "the hook was not taken away"
    assert vector != pytest.approx(image_features(networks[0], image[::-1, ::-1] * 2, plan, CPU), rel=1e-2)


def test_features_that_are_not_finite_or_not_there_are_none():
    mean = BottleneckMean(torch.nn.Identity())
    with mean:
        assert mean.vector() is None
    mean.add(torch.full((1, 4, 2, 2, 2), math.nan))
    assert mean.vector() is None


def test_long_features_are_shortened_and_keep_their_distances():
    vectors = np.random.default_rng(1).normal(size=(12, 320))
    short = np.array([shortened(vector) for vector in vectors])
    assert short.shape == (12, LENGTH) and np.array_equal(shortened(vectors[0][:LENGTH]), vectors[0][:LENGTH])
    pairs = [(a, b) for a in range(12) for b in range(a)]
    ratios = [np.linalg.norm(short[a] - short[b]) / np.linalg.norm(vectors[a] - vectors[b]) for a, b in pairs]
    assert abs(np.mean(ratios) - 1) < 0.1 and min(ratios) > 0.7 and max(ratios) < 1.3
