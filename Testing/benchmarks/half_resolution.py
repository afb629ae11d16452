"""How well segmentations can be that a network says at half the resolution: python half_resolution.py DATA

DATA: a Decathlon folder with splits.json. On a CPU the network has no level at full resolution: its logits are brought
to the voxels linearly. Nothing is trained. Mean Dice of the test cases, when what stands at half the resolution is

- shares: the share of each structure in 2 x 2 x 2 voxels, as a network has them that knows no more than that
- logits: their logarithms
- fitted: the logits that say the voxels best, found by gradient descent for each case
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from metassl.evaluation.metrics import dice
from metassl.files import read_json
from metassl.imaging import read_labels

STEPS, RATE = 60, 0.2


def main(data: Path) -> None:
    found = []
    for case in read_json(data / "splits.json", "the split")["test"]:
        labels, _ = read_labels(data / "labelsTr" / f"{case}.nii.gz", case)
        found.append([_dice(labels, low) for low in _at_half(labels)])
    for name, mean in zip(("shares", "logits", "fitted"), np.mean(found, axis=0), strict=True):
        print(f"{name}: Dice {mean:.3f} ({len(found)} cases)")


def _at_half(labels: np.ndarray) -> list[torch.Tensor]:
    """(1, K, z, y, x) of half the size for each of the three."""
    even = np.pad(labels, [(0, n % 2) for n in labels.shape], mode="edge")
    masks = np.stack([even == value for value in range(labels.max() + 1)]).astype(np.float32)
    shares = F.avg_pool3d(torch.from_numpy(masks)[None], 2)
    fitted = torch.log(shares.clamp(1e-2)).requires_grad_(True)
    optimizer, truth = torch.optim.Adam([fitted], RATE), torch.from_numpy(even.astype(np.int64))[None]
    for _ in range(STEPS):
        optimizer.zero_grad()
        F.cross_entropy(F.interpolate(fitted, scale_factor=2, mode="trilinear"), truth).backward()
        optimizer.step()
    return [shares, torch.log(shares.clamp(1e-3)), fitted.detach()]


def _dice(labels: np.ndarray, low: torch.Tensor) -> float:
    """Mean over the structures of what the interpolated logits say."""
    said = F.interpolate(low, scale_factor=2, mode="trilinear")[0].argmax(0).numpy()
    said = said[tuple(slice(n) for n in labels.shape)]
    return float(np.mean([dice(said == value, labels == value) for value in range(1, labels.max() + 1)]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
