"""The partition into regions, and the terms made of them."""

from __future__ import annotations

import pytest
import torch
from metassl.method.prediction import predict
from metassl.method.regions import Region, is_confident, partition, partition_against_annotation
from metassl.method.terms import term_map, term_names, term_weights
from metassl.method.weights import RegionWeights

LABELS = torch.tensor([[0, 1, 2, 2, 1, 0]])
OTHER = torch.tensor([[0, 1, 1, 0, 1, 0]])
CONFIDENCE = torch.tensor([[0.9, 0.4, 0.9, 0.6, 0.8, 0.5]])
THRESHOLDS = torch.tensor([0.5, 0.6, 0.7], dtype=torch.float64)


def test_agreement_and_confidence_make_the_four_regions():
    regions = partition(LABELS, CONFIDENCE, OTHER, THRESHOLDS)
    UC, US, DC, DS = Region.UC, Region.US, Region.DC, Region.DS
    assert regions.dtype == torch.uint8
    assert regions.tolist() == [[UC, US, DC, DS, UC, US]]


def test_a_confidence_equal_to_its_threshold_is_suspicious():
    confidence = torch.tensor([[0.5, 0.25]])
    labels = torch.zeros(1, 2, dtype=torch.int64)
    assert is_confident(labels, confidence, torch.tensor([0.25])).tolist() == [[True, False]]


def test_float32_confidences_are_compared_with_float64_thresholds_exactly():
    random = torch.Generator().manual_seed(0)
    near = torch.rand(1, 2000, generator=random)
    step = torch.finfo(torch.float64).eps
    offsets = torch.tensor([-1e-8, -step, 0.0, step, 1e-8], dtype=torch.float64)
    labels = torch.zeros_like(near, dtype=torch.int64)
    for offset in offsets:
        thresholds = near.double() + offset
        assert torch.equal(is_confident(labels, near, thresholds), near.double() > thresholds)


def test_thresholds_may_be_given_per_voxel():
    per_voxel = THRESHOLDS[LABELS]
    expected = partition(LABELS, CONFIDENCE, OTHER, THRESHOLDS)
    assert torch.equal(partition(LABELS, CONFIDENCE, OTHER, per_voxel), expected)
    with pytest.raises(ValueError, match="neither one per class nor one per voxel"):
        partition(LABELS, CONFIDENCE, OTHER, per_voxel[:, :3])


def test_ignored_voxels_have_no_region():
    ignored = torch.tensor([[True, False, False, False, True, False]])
    regions = partition(LABELS, CONFIDENCE, OTHER, THRESHOLDS, ignored)
    assert (regions[ignored] == Region.IGNORED).all() and (regions[~ignored] > 0).all()
    annotation = OTHER.to(torch.uint8).masked_fill(ignored, 255)
    against = partition_against_annotation(LABELS, CONFIDENCE, annotation, THRESHOLDS)
    assert torch.equal(against, regions)


def test_the_lowest_class_wins_a_tie():
    labels, confidence = predict(torch.zeros(2, 4, 3, 3, 3))
    assert not labels.any()
    assert torch.equal(confidence, torch.full((2, 3, 3, 3), 0.25))


def test_the_confidence_is_the_softmax_bit_by_bit():
    logits = 10 * torch.randn(2, 4, 9, 9, generator=torch.Generator().manual_seed(0))
    assert torch.equal(predict(logits).confidence, logits.softmax(1).amax(1))


def test_each_direction_has_its_own_partition():
    one = partition(LABELS, CONFIDENCE, OTHER, THRESHOLDS)
    two = partition(OTHER, CONFIDENCE.flip(1), LABELS, THRESHOLDS)
    agree = (one == Region.UC) | (one == Region.US)
    assert torch.equal(agree, (two == Region.UC) | (two == Region.US))
    assert not torch.equal(one, two)


@pytest.mark.parametrize("split", ["none", "background", "background_twice", "class"])
def test_every_term_has_a_name_and_a_weight_and_only_uc_is_split(split):
    regions = partition(LABELS, CONFIDENCE, OTHER, THRESHOLDS)
    terms = term_map(regions, LABELS, split)
    names = ("ignored", *term_names(split, 3))
    assert len(term_weights(RegionWeights(4, 3, 2, 1), split, 3)) == len(names)
    expected = {
        "none": ["UC", "US", "DC", "DS", "UC", "US"],
        "class": ["UC_class0", "US", "DC", "DS", "UC_class1", "US"],
    }.get(split, ["UC_background", "US", "DC", "DS", "UC_foreground", "US"])
    assert [names[term] for term in terms[0]] == expected
