"""What the first network sees in an image, as a short vector: for choosing cases that differ from each other.

The deepest feature map of a U-Net, averaged over the image. It comes out of the pass that predicts the case, so it
costs nothing; labelled cases, which are not predicted, take a pass of that one network.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch
from torch import nn

from metassl.data.plan import Plan
from metassl.inference.sliding_window import window_size, window_starts
from metassl.networks.device import autocast

LENGTH = 64
"""Longer vectors are projected at random, which keeps distances (Johnson and Lindenstrauss, 1984) within a tenth."""

OVERLAP = 0.5
DIGITS = 4


class BottleneckMean:
    """Averages the network's bottleneck over every window that passes through it inside `with`."""

    def __init__(self, network: nn.Module) -> None:
        stages = {name.rpartition(".")[2]: stage for name, stage in network.named_modules()}
        self._stage = stages.get("bottleneck")
        self._handle = None
        self._sum: torch.Tensor | None = None
        self._windows = 0

    def __enter__(self) -> BottleneckMean:
        if self._stage is not None:
            self._handle = self._stage.register_forward_hook(lambda _stage, _inputs, output: self.add(output))
        return self

    def __exit__(self, *_error: object) -> None:
        if self._handle is not None:
            self._handle.remove()

    def add(self, features: torch.Tensor) -> None:
        """features: (windows, F, z, y, x)."""
        total = features.detach().float().mean(dim=(2, 3, 4)).sum(0)
        self._sum = total if self._sum is None else self._sum + total
        self._windows += len(features)

    def vector(self) -> list[float] | None:
        """At most LENGTH numbers; None when no window passed, or a value is not finite."""
        if self._sum is None:
            return None
        mean = shortened((self._sum / self._windows).cpu().numpy().astype(np.float64))
        return [float(f"{value:.{DIGITS}g}") for value in mean] if np.isfinite(mean).all() else None


def shortened(vector: np.ndarray) -> np.ndarray:
    """(F,) as it is, or projected to (LENGTH,)."""
    if len(vector) <= LENGTH:
        return vector
    directions = np.random.RandomState(0).standard_normal((LENGTH, len(vector)))
    return directions @ vector / math.sqrt(LENGTH)


@torch.inference_mode()
def image_features(network: nn.Module, image: np.ndarray, plan: Plan, device: torch.device) -> list[float] | None:
    """The same vector for an image (C, z, y, x) on the plan's grid, from the same windows."""
    shape = image.shape[1:]
    patch = window_size(shape, plan)
    missing = [max(size - length, 0) for size, length in zip(patch, shape, strict=True)]
    image = np.pad(image, [(0, 0), *((m // 2, m - m // 2) for m in missing)], mode="edge")
    starts = [window_starts(n, size, OVERLAP) for n, size in zip(image.shape[1:], patch, strict=True)]
    with BottleneckMean(network) as mean:
        for corner in itertools.product(*starts):
            inside = tuple(slice(first, first + size) for first, size in zip(corner, patch, strict=True))
            window = np.ascontiguousarray(image[(slice(None), *inside)], np.float32)
            with autocast(device, plan.precision):
                network(torch.from_numpy(window)[None].to(device))
    return mean.vector()
