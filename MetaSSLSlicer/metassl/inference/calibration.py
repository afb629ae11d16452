"""Thresholds of the shown map: re-estimated after training, with the inference pipeline, on unlabelled cases."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch

UNSEEN_CLASS_THRESHOLD = 0.9
CAUTION = 0.25
"""How far from the mean confidence towards 1 a threshold lies.

At the mean itself (0), US, DC and DS held 85.6 % of the errors of 20 hippocampus cases outside the test split, in 7.8 %
of the volume; at 0.2 it was 88.0 % in 8.9 %, at 0.5 92.4 % in 12.7 %. The order UC < US < {DC, DS} held throughout.
"""


def calibrate_thresholds(predictions: Iterable[np.ndarray], classes: int) -> torch.Tensor:
    """The mean confidence of the voxels that network n predicts as class k, with CAUTION: float32 (2, K).

    predictions: softmax arrays (2, K, z, y, x), one per case. A class that no voxel was predicted as keeps 0.9.
    """
    sums = torch.zeros(2, classes, dtype=torch.float64)
    counts = torch.zeros(2, classes, dtype=torch.float64)
    for pair in predictions:
        for network in range(2):
            for plane in range(pair.shape[2]):
                softmax = torch.from_numpy(np.asarray(pair[network, :, plane], np.float32))
                confidence, labels = softmax.max(0)
                flat = labels.flatten()
                sums[network] += torch.bincount(flat, confidence.flatten().double(), classes)
                counts[network] += torch.bincount(flat, minlength=classes)
    means = sums / counts.clamp_min(1)
    thresholds = means + CAUTION * (1 - means)
    return torch.where(counts > 0, thresholds, UNSEEN_CLASS_THRESHOLD).float()
