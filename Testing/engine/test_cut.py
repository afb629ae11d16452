"""Views that a GPU makes are those that a CPU makes: the same view to the rounding, the same distribution of views."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from framework_parts import sampler
from metassl.data.ahead import batches_for
from metassl.data.augment import Augmentation, draw_view, random_view
from metassl.data.cut import cut, random_cut
from metassl.data.plan import Plan

PATCH, SPACING = (12, 16, 14), (1.5, 1.0, 1.0)
NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=NO_GPU)])
def device(request) -> torch.device:
    return torch.device(request.param)


def case(shape: tuple[int, int, int], channels: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """A smooth image (C, z, y, x) float16, brighter towards its end, and the halves of it as classes 0 and 1."""
    axes = np.meshgrid(*(np.linspace(0, 3, n) for n in shape), indexing="ij")
    image = np.stack([np.sin(axes[0] + n) * np.cos(axes[1]) + axes[2] / 3 for n in range(channels)])
    return image.astype(np.float16), (axes[2] > 1.5).astype(np.uint8)


@pytest.mark.parametrize("shape", [(30, 40, 35), (8, 40, 9), (1, 20, 20)])
@pytest.mark.parametrize("in_plane", [False, True])
@pytest.mark.parametrize("elastic_voxels", [0.0, 0.8])
def test_a_view_is_the_same_wherever_it_is_made(shape, in_plane, elastic_voxels, device):
    image, label = case(shape)
    augmentation = Augmentation(mirror_axes=(2,), in_plane=in_plane, elastic_voxels=elastic_voxels)
    for seed in range(6):
        centre = np.random.default_rng(seed).uniform(0, np.subtract(shape, 1))
        options = (centre, PATCH, SPACING, augmentation)
        expected, expected_label = random_view(image, label, *options, np.random.default_rng(seed))
        rng = np.random.default_rng(seed)
        view = draw_view(len(image), *options, rng, partial(rng.standard_normal, PATCH, dtype=np.float32))
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
LARGEST_DISTANCE = 1.95 * np.sqrt(2 / DRAWS)
"""Between two samples of one distribution in the test of Kolmogorov and Smirnov, in 999 of 1000 cases."""


def distance(first: np.ndarray, second: np.ndarray) -> float:
    """Kolmogorov-Smirnov: the largest between the shares of both samples below any value."""
    values = np.concatenate([first, second])
    shares = (np.searchsorted(np.sort(sample), values, side="right") / len(sample) for sample in (first, second))
    return float(np.abs(np.subtract(*shares)).max())


def statistics(view: torch.Tensor, label: torch.Tensor) -> dict[str, float]:
    """What a patch is like: its moments and extremes, how rough it is, what it shows of the case."""
    channel = view[0]
    deviation = float(channel.std())
    return {
        "mean": float(channel.mean()),
        "deviation": deviation,
        "skewness": float(((channel - channel.mean()) / deviation).pow(3).mean()),
        "least": float(channel.min()),
        "most": float(channel.max()),
        "roughness": float(channel.diff(dim=2).abs().mean()),
        "of the class": float((label == 1).float().mean()),
        "outside": float((label == 255).float().mean()),
    }


@pytest.mark.parametrize("in_plane", [False, True])
def test_views_have_the_same_distribution_wherever_they_are_made(in_plane, device):
    image, label = case((20, 26, 24), 1)
    augmentation = Augmentation(mirror_axes=(0, 2), in_plane=in_plane)
    samples = {}
    for where in ("on the CPU", "on the device"):
        rows = []
        for seed in range(DRAWS):
            rng = np.random.default_rng([seed, where == "on the device"])
            options = (image, label, rng.uniform(4, 18, 3), PATCH, SPACING, augmentation, rng)
            made = random_view(*options) if where == "on the CPU" else random_cut(*options).made_on(device)
            rows.append(statistics(*(each.cpu() for each in made)))
        samples[where] = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    for name, expected in samples["on the CPU"].items():
        assert distance(expected, samples["on the device"][name]) < LARGEST_DISTANCE, name
        assert np.ptp(expected) > 0, f"{name} tells views apart"


def test_the_test_of_distributions_finds_an_augmentation_without_noise():
    image, label = case((20, 26, 24), 1)
    samples = []
    for noise in (0.2, 0.0):
        made = (
            random_cut(image, label, np.full(3, 11.0), PATCH, SPACING, Augmentation(noise=noise), rng).made_on(
                torch.device("cpu")
            )
            for rng in map(np.random.default_rng, range(DRAWS))
        )
        samples.append(np.array([statistics(*each)["roughness"] for each in made]))
    assert distance(*samples) > LARGEST_DISTANCE


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
