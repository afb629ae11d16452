"""The windows of a model that nnU-Net has trained, as nnU-Net itself goes through an image.

Logits are added up in half precision, weighted by a Gaussian, over the windows and their mirrored views.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch

from metassl.data.plan import Plan
from metassl.data.topology import Triple
from metassl.networks.device import autocast

WIDTH = 1 / 8
"""Of the Gaussian, as a share of the window."""

REACH = 4.0
PEAK = 10.0
"""Its largest weight: half precision has more room above 1 than below."""


def steps(length: int, window: int, step: float) -> list[int]:
    """First voxels of windows that cover `length`, at most `step` windows apart."""
    count = int(np.ceil((length - window) / (window * step))) + 1
    between = (length - window) / max(count - 1, 1)
    return [int(np.round(between * place)) for place in range(count)]


@lru_cache(maxsize=4)
def gaussian(window: Triple) -> torch.Tensor:
    """float16 (z, y, x): the weight of each voxel of a window, PEAK in its middle and nowhere 0."""
    weights = np.ones(())
    for size in window:
        sigma = size * WIDTH
        radius = int(REACH * sigma + 0.5)
        kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
        kernel /= kernel.sum()
        line = np.zeros(size)
        offset = np.arange(size) - size // 2
        near = np.abs(offset) <= radius
        line[near] = kernel[offset[near] + radius]
        weights = weights[..., None] * line
    half = torch.from_numpy(weights / weights.max() * PEAK).half()
    half[half == 0] = half[half != 0].min()
    return half


@torch.inference_mode()
def predict_given(
    networks: Sequence[torch.nn.Module], image: np.ndarray, plan: Plan, device: torch.device, overlap: float
) -> np.ndarray:
    """Softmax of N networks for an image (C, z, y, x) on the plan's grid: float32 (N, K, z, y, x)."""
    if plan.given is None:
        raise ValueError("the plan is one of ours")
    shape, window = image.shape[1:], plan.patch_zyx
    missing = [max(size - length, 0) for size, length in zip(window, shape, strict=True)]
    padded = np.pad(image, [(0, 0), *((each // 2, each - each // 2) for each in missing)])
    data = torch.from_numpy(np.ascontiguousarray(padded, np.float32))
    places = itertools.product(*(steps(*each, 1 - overlap) for each in zip(data.shape[1:], window, strict=True)))
    mirrored = [
        [axis + 2 for axis in axes]
        for count in range(1, len(plan.given.mirror_axes) + 1)
        for axes in itertools.combinations(plan.given.mirror_axes, count)
    ]
    weights = gaussian(window)
    total = torch.zeros(len(networks), plan.classes, *data.shape[1:], dtype=torch.half)
    weight = torch.zeros(data.shape[1:], dtype=torch.half)
    for corner in places:
        here = [slice(first, first + size) for first, size in zip(corner, window, strict=True)]
        part = data[(slice(None), *here)][None].to(device)
        for number, network in enumerate(networks):
            with autocast(device, plan.precision):
                logits = network(part)
                for axes in mirrored:
                    logits += network(part.flip(axes)).flip(axes)
            logits /= 1 + len(mirrored)
            total[number][(slice(None), *here)] += logits[0].cpu() * weights
        weight[tuple(here)] += weights
    total /= weight
    inside = tuple(slice(each // 2, each // 2 + length) for each, length in zip(missing, shape, strict=True))
    result: np.ndarray = total[(slice(None), slice(None), *inside)].float().softmax(1).numpy()
    return result
