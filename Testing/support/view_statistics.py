"""Whether views made on a device have the distribution of those made on the CPU."""

from __future__ import annotations

import numpy as np
import torch
from metassl.data.augment import Augmentation, random_view
from metassl.data.cut import random_cut

PATCH, SPACING = (12, 16, 14), (1.5, 1.0, 1.0)


def case(shape: tuple[int, int, int], channels: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """A smooth image (C, z, y, x) float16, brighter towards its end, and the halves of it as classes 0 and 1."""
    axes = np.meshgrid(*(np.linspace(0, 3, n) for n in shape), indexing="ij")
    image = np.stack([np.sin(axes[0] + n) * np.cos(axes[1]) + axes[2] / 3 for n in range(channels)])
    return image.astype(np.float16), (axes[2] > 1.5).astype(np.uint8)


def largest_distance(draws: int) -> float:
    """Between two samples of one distribution in the test of Kolmogorov and Smirnov, in 999 of 1000 cases."""
    return float(1.95 * np.sqrt(2 / draws))


def distance(first: np.ndarray, second: np.ndarray) -> float:
    """Kolmogorov-Smirnov: the largest between the shares of both samples below any value."""
    values = np.concatenate([first, second])
    shares = (np.searchsorted(np.sort(sample), values, side="right") / len(sample) for sample in (first, second))
    return float(np.abs(np.subtract(*shares)).max())


def statistics(view: torch.Tensor, label: torch.Tensor) -> dict[str, float]:
    """What a patch is like: its moments and extremes, how rough it is, what it shows of the case."""
    channel, label = view[0].cpu(), label.cpu()
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


def samples(
    augmentation: Augmentation, draws: int, device: torch.device | None, seed: int = 0
) -> dict[str, np.ndarray]:
    """Of so many views, made on the device, or with None in the CPU's own way: their statistics by name."""
    image, label = case((20, 26, 24), 1)
    rows = []
    for number in range(draws):
        rng = np.random.default_rng([seed, number])
        options = (image, label, rng.uniform(4, 18, 3), PATCH, SPACING, augmentation, rng)
        rows.append(statistics(*(random_view(*options) if device is None else random_cut(*options).made_on(device))))
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}
