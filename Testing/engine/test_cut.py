"""Views that a GPU makes are those that a CPU makes: the same view to the rounding, the same distribution of views."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from framework_parts import sampler
from metassl.data.ahead import batches_for
from metassl.data.augment import Augmentation, draw_view, random_view
from metassl.data.cut import cut, random_cut
from metassl.data.plan import Plan
from view_statistics import PATCH, SPACING, case, distance, largest_distance, samples

NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=NO_GPU)])
def device(request) -> torch.device:
    return torch.device(request.param)


@pytest.mark.parametrize("shape", [(30, 40, 35), (8, 40, 9), (1, 20, 20)])
@pytest.mark.parametrize("in_plane", [False, True])
@pytest.mark.parametrize(("elastic_voxels", "patch"), [(0.0, PATCH), (0.8, PATCH), (0.8, (1, 16, 14))])
def test_a_view_is_the_same_wherever_it_is_made(shape, in_plane, elastic_voxels, patch, device):
    image, label = case(shape)
    augmentation = Augmentation(mirror_axes=(2,), in_plane=in_plane, elastic_voxels=elastic_voxels)
    for seed in range(6):
        augmentation = replace(augmentation, outside=("border", "zeros")[seed % 2])
        centre = np.random.default_rng(seed).uniform(0, np.subtract(shape, 1))
        options = (centre, patch, SPACING, augmentation)
        expected, expected_label = random_view(image, label, *options, np.random.default_rng(seed))
        rng = np.random.default_rng(seed)
        view = draw_view(len(image), *options, rng, partial(rng.standard_normal, patch, dtype=np.float32))
        found, found_label = (made.cpu() for made in cut(image, label, view).made_on(device))
        torch.testing.assert_close(found, expected, atol=2e-3, rtol=2e-3)
        differing = (found_label != expected_label).float().mean()
        assert found_label.dtype == torch.int64 and differing <= 0.005, "but where a voxel lies between two"


def test_a_case_without_label_gives_a_view_without_one(device):
    image, _ = case((20, 20, 20))
    made = random_cut(image, None, np.full(3, 9.5), PATCH, SPACING, Augmentation(), np.random.default_rng(0))
    view, label = made.made_on(device)
    assert view.shape == (2, *PATCH) and view.dtype == torch.float32 and label is None


DRAWS = 250


@pytest.mark.parametrize("in_plane", [False, True])
def test_views_have_the_same_distribution_wherever_they_are_made(in_plane, device):
    augmentation = Augmentation(mirror_axes=(0, 2), in_plane=in_plane)
    on_the_device = samples(augmentation, DRAWS, device, seed=1)
    for name, expected in samples(augmentation, DRAWS, None).items():
        assert distance(expected, on_the_device[name]) < largest_distance(DRAWS), name
        assert np.ptp(expected) > 0, f"{name} tells views apart"


def test_the_test_of_distributions_finds_an_augmentation_without_noise():
    with_noise, without = (samples(Augmentation(noise=noise), DRAWS, None)["roughness"] for noise in (0.2, 0.0))
    assert distance(with_noise, without) > largest_distance(DRAWS)


def test_a_batch_of_the_device_depends_on_seed_and_step_alone(tiny_plan, device):
    plan: Plan = tiny_plan(batch=(2, 2))
    first, second = sampler(plan), sampler(plan)
    second.cuts(0).to(device)
    one, two = (each.cuts(7).to(device) for each in (first, second))
    assert all(torch.equal(*pair) for pair in zip(one.tensors, two.tensors, strict=True))
    assert (one.labelled_cases, one.unlabelled_cases) == (two.labelled_cases, two.unlabelled_cases)
    assert not torch.equal(one.labelled, first.cuts(8).to(device).labelled)


@NO_GPU
def test_batches_made_beside_the_step_are_those_of_their_steps(tiny_plan):
    device = torch.device("cuda")
    made_by = sampler(tiny_plan(batch=(2, 2)))
    batches = batches_for(device, made_by, 3)
    for step in range(3, 12):
        found, expected = batches.get(), made_by.cuts(step).to(device)
        torch.cuda._sleep(10_000_000)
        assert all(torch.equal(*pair) for pair in zip(found.tensors, expected.tensors, strict=True))
    batches.close()
