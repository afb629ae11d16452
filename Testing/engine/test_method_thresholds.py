"""The adaptive thresholds and how they are saved."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import metassl
import pytest
import torch
from machine import PATIENCE_S
from metassl.method.thresholds import AdaptiveThresholds, Half


def follow(thresholds, labels, confidence, half=Half.UNLABELLED, net=1, valid=None):
    thresholds.update(torch.tensor([labels]), torch.tensor([confidence]), half, net, valid)
    return thresholds.state[half, net].tolist()


def test_a_threshold_follows_the_mean_confidence_with_count_plus_one():
    thresholds = AdaptiveThresholds(2)
    after = follow(thresholds, [0, 0, 1], [0.6, 0.8, 0.5])
    assert after == pytest.approx([0.45 + 0.5 * 1.4 / 3, 0.45 + 0.5 * 0.5 / 2])


def test_only_one_half_and_network_moves():
    thresholds = AdaptiveThresholds(3)
    follow(thresholds, [0, 1], [0.5, 0.5], Half.LABELLED, 0)
    moved = thresholds.state != 0.9
    assert moved[Half.LABELLED, 0].all() and moved.sum() == 3


def test_a_class_that_nobody_predicts_halves_as_published():
    thresholds = AdaptiveThresholds(2)
    follow(thresholds, [0], [0.5])
    assert follow(thresholds, [0], [0.5])[1] == pytest.approx(0.225)


def test_a_rare_class_keeps_its_threshold_if_asked():
    thresholds = AdaptiveThresholds(2, n_min=2)
    after = follow(thresholds, [0, 0, 1], [0.5, 0.5, 0.5])
    assert after[0] < 0.9 and after[1] == 0.9


def test_cap_and_floor_bound_the_use_and_not_the_state():
    thresholds = AdaptiveThresholds(2, cap=0.9, floor=0.5, initial=0.97)
    assert thresholds.per_class(0, 0).tolist() == [0.9, 0.9]
    thresholds.state.fill_(0.1)
    assert thresholds.per_class(0, 0).tolist() == [0.5, 0.5]
    assert thresholds.state[0, 0].tolist() == [0.1, 0.1]
    with pytest.raises(ValueError, match="above the cap"):
        AdaptiveThresholds(2, cap=0.4, floor=0.5)


def test_voxels_left_out_do_not_count():
    with_mask, without = AdaptiveThresholds(2), AdaptiveThresholds(2)
    valid = torch.tensor([[True, True, False]])
    masked = follow(with_mask, [0, 1, 1], [0.6, 0.7, 0.1], valid=valid)
    assert masked == follow(without, [0, 1], [0.6, 0.7])


@pytest.mark.parametrize("kind", [torch.uint8, torch.int32, torch.int64])
def test_labels_may_have_any_integer_type(kind):
    thresholds = AdaptiveThresholds(2)
    labels, valid = torch.tensor([[0, 1, 1]], dtype=kind), torch.tensor([[True, True, False]])
    thresholds.update(labels, torch.full((1, 3), 0.8), 0, 0, valid)
    assert thresholds.state[0, 0].tolist() == pytest.approx([0.65, 0.65])


def test_a_confidence_that_is_not_finite_leaves_the_state_alone():
    thresholds = AdaptiveThresholds(2)
    assert follow(thresholds, [0, 1], [float("nan"), 0.5]) == [0.9, 0.9]


def test_large_volumes_are_summed_accurately():
    random = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (2, 96, 96, 96), generator=random)
    confidence = 0.5 + 0.5 * torch.rand(labels.shape, generator=random)
    thresholds = AdaptiveThresholds(3)
    thresholds.update(labels, confidence, 0, 0)
    for k in range(3):
        chosen = confidence[labels == k].double()
        expected = 0.45 + 0.5 * chosen.sum() / (len(chosen) + 1)
        assert thresholds.state[0, 0, k].item() == pytest.approx(expected.item(), abs=1e-7)


@pytest.mark.parametrize("kind", [torch.float64, torch.float32])
def test_the_state_survives_saving_and_loading(kind):
    thresholds = AdaptiveThresholds(2, dtype=kind)
    follow(thresholds, [0, 1], [0.6, 0.7])
    file = io.BytesIO()
    torch.save(thresholds.state_dict(), file)
    file.seek(0)
    loaded = AdaptiveThresholds(2, dtype=kind)
    loaded.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(loaded.state, thresholds.state) and loaded.state.dtype == kind


POOLING_PROCESS = """
import sys, torch
from metassl.method.thresholds import AdaptiveThresholds

rank, address, out = int(sys.argv[1]), sys.argv[2], sys.argv[3]
torch.distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
labels = torch.tensor([[[0, 0, 1]], [[1, 1, 0]]])[rank]
confidence = torch.tensor([[[0.6, 0.8, 0.5]], [[0.9, 0.7, 0.4]]])[rank]
thresholds = AdaptiveThresholds(2)
thresholds.update(labels, confidence, 1, 1)
torch.save(thresholds.state, out)
torch.distributed.destroy_process_group()
"""


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without distributed")
def test_processes_that_train_together_pool_their_counts(tmp_path):
    address = (tmp_path / "meeting").as_uri()
    files = [tmp_path / f"{rank}.pt" for rank in (0, 1)]
    paths = os.pathsep.join([str(Path(metassl.__file__).parents[1]), *sys.path])
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", POOLING_PROCESS, str(rank), address, str(file)],
            env=os.environ | {"PYTHONPATH": paths},
        )
        for rank, file in enumerate(files)
    ]
    assert [process.wait(timeout=PATIENCE_S) for process in processes] == [0, 0]
    alone = AdaptiveThresholds(2)
    expected = follow(alone, [0, 0, 1, 1, 1, 0], [0.6, 0.8, 0.5, 0.9, 0.7, 0.4])
    for file in files:
        state = torch.load(file, weights_only=True)
        assert state[Half.UNLABELLED, 1].tolist() == pytest.approx(expected)
