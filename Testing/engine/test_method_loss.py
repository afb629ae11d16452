"""Weights, the ramp, the supervised loss, and the pieces for frameworks with views of their own."""

from __future__ import annotations

import math

import pytest
import torch
from metassl.method.loss import HeterogeneousLoss, region_weight_map, weighted_cross_entropy
from metassl.method.metassl_loss import consistency_ramp
from metassl.method.regions import Region
from metassl.method.supervised import supervised_loss
from metassl.method.weights import SCRIPT_WEIGHTS, RegionWeights, rule_a, rule_b, rule_c

WEIGHTS = RegionWeights(uc=4.0, us=3.0, dc=2.0, ds=1.0)
REGIONS = torch.tensor([[[1, 2, 3], [4, 1, 0]]], dtype=torch.uint8)


@pytest.fixture
def scene():
    """log-probabilities (1, 3, 2, 3), a target, and its cross-entropies."""
    logits = torch.randn(1, 3, 2, 3, generator=torch.Generator().manual_seed(0))
    target = torch.tensor([[[0, 1, 2], [2, 1, 0]]])
    log_probabilities = logits.log_softmax(1).requires_grad_()
    return log_probabilities, target, -log_probabilities.detach().gather(1, target[:, None])[:, 0]


def test_the_weight_map_looks_up_the_regions():
    expected = [[[4.0, 3.0, 2.0], [1.0, 4.0, 0.0]]]
    weight_map = region_weight_map(REGIONS, WEIGHTS)
    assert weight_map.dtype == torch.float32 and weight_map.tolist() == expected
    assert torch.equal(region_weight_map(REGIONS, torch.tensor(WEIGHTS.table())), weight_map)


def test_global_normalisation_is_one_weighted_mean(scene):
    log_probabilities, target, ce = scene
    weight_map = region_weight_map(REGIONS, WEIGHTS)
    loss = weighted_cross_entropy(log_probabilities, target, weight_map)
    torch.testing.assert_close(loss.detach(), (weight_map * ce).sum() / 14.0)
    loss.backward()
    assert log_probabilities.grad[0, 0, 1, 2] == 0  # IGNORED


def test_region_normalisation_is_a_weighted_sum_of_region_means(scene):
    log_probabilities, target, ce = scene
    weight_map = region_weight_map(REGIONS, WEIGHTS)
    loss = weighted_cross_entropy(log_probabilities, target, weight_map, "region", REGIONS)
    expected = sum(
        weight * ce[REGIONS == code].sum() / (int((REGIONS == code).sum()) + 1)
        for code, weight in ((1, 4.0), (2, 3.0), (3, 2.0), (4, 1.0))
    )
    torch.testing.assert_close(loss.detach(), expected)
    with pytest.raises(ValueError, match="needs the region map"):
        weighted_cross_entropy(log_probabilities, target, weight_map, "region")


@pytest.mark.parametrize("normalisation", ["global", "region"])
def test_the_low_level_pieces_and_the_module_agree(scene, normalisation):
    log_probabilities, target, ce = scene
    weight_map = region_weight_map(REGIONS, WEIGHTS)
    pieces = weighted_cross_entropy(log_probabilities, target, weight_map, normalisation, REGIONS)
    module = HeterogeneousLoss(3, WEIGHTS, normalisation)(ce, REGIONS, target)
    torch.testing.assert_close(pieces.detach(), module.value)


def test_a_weight_map_of_zeros_gives_zero(scene):
    log_probabilities, target, _ = scene
    assert weighted_cross_entropy(log_probabilities, target, torch.zeros(1, 2, 3)).item() == 0.0


def test_the_log_of_a_direction_counts_and_averages_its_regions(scene):
    _, target, ce = scene
    direction = HeterogeneousLoss(3, WEIGHTS, "region", "background")(ce, REGIONS, target)
    assert {name: float(f) for name, f in direction.fractions().items()} == pytest.approx(
        {"UC": 0.4, "US": 0.2, "DC": 0.2, "DS": 0.2}
    )
    means = direction.mean_cross_entropy()
    for region in (Region.UC, Region.US, Region.DC, Region.DS):
        torch.testing.assert_close(means[region.name], ce[REGIONS == region].mean())
    torch.testing.assert_close(sum(direction.partials().values()), direction.value)


def test_a_tiny_region_can_be_left_out(scene):
    _, target, ce = scene
    only_uc = HeterogeneousLoss(3, WEIGHTS, "global", n_min=2)(ce, REGIONS, target)
    torch.testing.assert_close(only_uc.value, ce[REGIONS == Region.UC].mean())


def test_global_weights_keep_their_order_per_voxel_whatever_the_sizes():
    regions = torch.cat([torch.full((1, 900), 1), torch.full((1, 5), 2), torch.full((1, 2), 3)], 1)
    regions = torch.cat([regions, torch.full((1, 1), 4)], 1).to(torch.uint8)
    ce, labels = torch.ones(regions.shape), torch.zeros(regions.shape)
    per_voxel = HeterogeneousLoss(2, WEIGHTS, "global")(ce, regions, labels).voxel_weights
    assert per_voxel[1:].tolist() == sorted(per_voxel[1:].tolist(), reverse=True)
    per_voxel = HeterogeneousLoss(2, WEIGHTS, "region")(ce, regions, labels).voxel_weights
    assert per_voxel[Region.UC] == per_voxel[1:].min()  # as published: rare regions dominate


def values(weights: RegionWeights) -> list[float]:
    return [weights.uc, weights.us, weights.dc, weights.ds]


@pytest.mark.parametrize(
    ("script", "unlabelled", "labelled"),
    [
        ("MT_2D", [50, 40, 0.2048, 6.4], [50, 35.714, 18.222, 25.510]),
        ("MT_3D", [50, 40, 0.2048, 6.4], [50, 33.333, 14.815, 22.222]),
        ("CPS_3D", [50, 40, 0.2048, 6.4], [50, 33.333, 14.815, 22.222]),
        ("CPS_2D", [50, 40.287, 8.882, 0.1466], [85, 82.736, 68.488, 41.003]),
        ("CCT_2D", [50, 40.287, 0.1466, 8.882], [50, 48.668, 24.120, 40.287]),
    ],
)
def test_every_script_has_its_published_weights(script, unlabelled, labelled):
    assert values(SCRIPT_WEIGHTS[script].unlabelled) == pytest.approx(unlabelled, abs=5e-4)
    assert values(SCRIPT_WEIGHTS[script].labelled) == pytest.approx(labelled, abs=5e-4)


@pytest.mark.parametrize("half", ["unlabelled", "labelled"])
def test_the_order_of_the_weights_can_be_chosen(half):
    for paper, legend in (
        (rule_a(50, 1.25, 1.4, 5, order="paper"), rule_a(50, 1.25, 1.4, 5)),
        (rule_b(50, 50, 0.6, 0.3, 3), rule_c()),
    ):
        one, two = values(getattr(paper, half)), values(getattr(legend, half))
        assert one == sorted(one, reverse=True)
        assert two == [one[0], one[1], one[3], one[2]]


def test_the_ramp_rises_to_its_maximum_and_stays_there():
    ramp = [consistency_ramp(t, 0.5, 1000, 1) for t in range(0, 1500, 10)]
    assert ramp == sorted(ramp) and ramp[0] == pytest.approx(0.5 * math.exp(-5))
    assert ramp[100:] == [0.5] * 50
    assert consistency_ramp(0, 0.5, 0) == 0.5


def test_the_supervised_loss_is_half_cross_entropy_and_half_dice():
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, 5, 6, generator=random)
    annotation = torch.randint(0, 3, (2, 4, 5, 6), generator=random)
    p, truth = logits.softmax(1), torch.nn.functional.one_hot(annotation, 3).movedim(-1, 1)
    axes = (0, 2, 3, 4)
    dice = (2 * (p * truth).sum(axes) + 1e-5) / ((p * p).sum(axes) + truth.sum(axes) + 1e-5)
    expected = 0.5 * (torch.nn.functional.cross_entropy(logits, annotation) + (1 - dice).mean())
    torch.testing.assert_close(supervised_loss(logits, annotation.to(torch.uint8)), expected)


def test_the_supervised_loss_of_a_partial_annotation_is_that_of_its_annotated_part():
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, 5, 6, generator=random)
    annotation = torch.randint(0, 3, (2, 4, 5, 6), generator=random).to(torch.uint8)
    partial = annotation.clone()
    partial[:, :2] = 255
    expected = supervised_loss(logits[:, :, 2:], annotation[:, 2:])
    torch.testing.assert_close(supervised_loss(logits, partial), expected)
