"""Thresholds of the shown map: re-estimated after training, with the inference pipeline, on unlabelled cases.

The mean confidence per predicted class, as while training, but over the voxels in which a reader is interested: those
in and round the predicted structures. Far background is sure almost everywhere, and a mean over it is a threshold that
most borders miss (docs/REGION_MAP.md has the figures).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch

from metassl.data.plan import Plan
from metassl.inference.region_map import OFFICIAL, SYMMETRIC
from metassl.project.masks import READING_BAND_VOXELS, dilate

UNSEEN_CLASS_THRESHOLD = 0.9


def calibrate_thresholds(predictions: Iterable[np.ndarray], plan: Plan, definition: str = SYMMETRIC) -> torch.Tensor:
    """float32 (2, 2, K): where both networks agree and where they differ, of network n, for predicted class k.

    predictions: softmax arrays (2, K, z, y, x), one per case. The second row is the mean over the voxels in which they
    differ and network n is the surer: there both are less sure than anywhere else. With the definition OFFICIAL every
    voxel counts in one mean. A class that no such voxel was predicted as keeps 0.9.
    """
    classes = plan.classes
    sums = torch.zeros(2, 2, classes, dtype=torch.float64)
    counts = torch.zeros(2, 2, classes, dtype=torch.float64)
    for pair in predictions:
        near = None if definition == OFFICIAL else dilate(_foreground(pair), plan.on_grid(READING_BAND_VOXELS))
        for plane in range(pair.shape[2]):
            softmax = torch.from_numpy(np.asarray(pair[:, :, plane], np.float32))
            confidence, labels = softmax.max(1)
            differ = labels[0] != labels[1]
            inside = torch.ones_like(differ) if near is None else torch.from_numpy(near[plane])
            first = confidence[0] >= confidence[1]
            surer = [inside, inside] if near is None else [differ & first, differ & ~first]
            for row, per_network in enumerate(([inside, inside], surer)):
                for network, chosen in enumerate(per_network):
                    found = labels[network][chosen]
                    values = confidence[network][chosen].double()
                    sums[row, network] += torch.bincount(found, values, classes)
                    counts[row, network] += torch.bincount(found, minlength=classes)
    means = sums / counts.clamp_min(1)
    return torch.where(counts > 0, means, UNSEEN_CLASS_THRESHOLD).float()


def _foreground(pair: np.ndarray) -> np.ndarray:
    """Where the mean of both softmaxes (2, K, z, y, x) has another arg-max than background, plane by plane."""
    found = np.empty(pair.shape[2:], bool)
    for plane in range(len(found)):
        found[plane] = pair[:, :, plane].astype(np.float32).sum(0).argmax(0) > 0
    return found
