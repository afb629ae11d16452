"""Weights between those that a training began with and those that it came to."""

from __future__ import annotations

import copy

import pytest
import torch
from metassl.networks.mixed import OUTWEIGHED, go_part_of_the_way, share_of
from torch import nn


def test_few_steps_go_a_little_way_and_many_nearly_all_of_it():
    assert share_of(0) == 0 and share_of(OUTWEIGHED) == 0.5 and share_of(100 * OUTWEIGHED) > 0.99
    assert share_of(93) == pytest.approx(0.25, abs=0.01)


def test_a_network_is_brought_to_so_much_of_its_way():
    began = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    trained = copy.deepcopy(began)
    with torch.no_grad():
        for weights in trained.parameters():
            weights.add_(1)
    trained[1].num_batches_tracked += 7
    go_part_of_the_way(trained, began, 0.25)
    for ours, before in zip(trained.parameters(), began.parameters(), strict=True):
        torch.testing.assert_close(ours, before + 0.25)
    assert trained[1].num_batches_tracked == 7, "which is no weight"
    whole = copy.deepcopy(trained)
    go_part_of_the_way(whole, began, 1.0)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), trained.parameters(), strict=True))
