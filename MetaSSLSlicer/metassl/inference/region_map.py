"""The region map that is shown: symmetric in the two predictions (METHOD.md, section 8; docs/REGION_MAP.md).

Unanimous: both arg-max labels agree. A prediction is confident in a voxel when its top probability lies above the
calibrated threshold of the class that it predicts there.

    UC  agree, both confident            DC  differ, the surer of the two is confident
    US  agree, otherwise                 DS  differ, otherwise

Two networks that differ are both less sure than elsewhere, so with one threshold for all voxels DC is all but empty.
SYMMETRIC therefore has thresholds of their own for voxels in which they differ (calibration.py); OFFICIAL is section 8
to the letter: one threshold per class, and DC where both are confident.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from metassl.method.regions import is_confident
from metassl.project.documents import REGION_MAPS
from metassl.project.regions import KEY_OF as REGION_NAMES

SYMMETRIC, OFFICIAL = REGION_MAPS
NOT_PREDICTED, UC, US, DC, DS = range(5)
LEAST_MUTUAL = 0.01
LEAST_ENTROPY = 0.05
"""Of ln K: agreed and confident voxels below it add nothing worth their cost."""

__all__ = ["DC", "DS", "NOT_PREDICTED", "OFFICIAL", "REGION_NAMES", "SYMMETRIC", "UC", "US", "Maps"]


@dataclass
class Maps:
    """Of one volume (z, y, x): class numbers uint8, regions uint8, entropy 0..1 and mutual information float32."""

    classes: torch.Tensor
    regions: torch.Tensor
    uncertainty: torch.Tensor
    mutual_information: torch.Tensor


def entropy(probabilities: torch.Tensor) -> torch.Tensor:
    """Entropy over the first axis, divided by ln K: 0..1."""
    terms = -probabilities * probabilities.clamp_min(1e-8).log()
    return terms.sum(0).div_(math.log(probabilities.shape[0])).clamp_(0, 1)


def top_class(probabilities: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Highest probability and its class (the lowest wins ties) over the first axis of (K, z, y, x).

    A running comparison: `max(0)` over a short strided axis is ten times slower on a CPU.
    """
    best = probabilities[0].clone()
    labels = torch.zeros_like(best, dtype=torch.uint8)
    for index in range(1, len(probabilities)):
        labels.masked_fill_(probabilities[index] > best, index)
        torch.maximum(best, probabilities[index], out=best)
    return best, labels


def region_map(
    first: torch.Tensor, second: torch.Tensor, thresholds: torch.Tensor, definition: str = SYMMETRIC
) -> Maps:
    """first, second: softmax (K, z, y, x); thresholds (2, 2, K): where they agree and differ, of each network.

    Thresholds (2, K), as older models have them, hold in both.
    """
    agreeing, differing = thresholds.to(first) if thresholds.dim() == 3 else [thresholds.to(first)] * 2
    (confidence_1, labels_1), (confidence_2, labels_2) = top_class(first), top_class(second)
    confident_1 = is_confident(labels_1, confidence_1, agreeing[0])
    confident_2 = is_confident(labels_2, confidence_2, agreeing[1])
    sure = confident_1 & confident_2
    unanimous = torch.where(sure, UC, US)
    if definition != OFFICIAL:
        sure = torch.where(
            confidence_1 >= confidence_2,
            is_confident(labels_1, confidence_1, differing[0]),
            is_confident(labels_2, confidence_2, differing[1]),
        )
    discrepant = torch.where(sure, DC, DS)
    regions = torch.where(labels_1 == labels_2, unanimous, discrepant).to(torch.uint8)
    mean = (first + second) / 2
    total = entropy(mean)
    mutual = torch.zeros_like(total)
    unsure = total > LEAST_MUTUAL  # elsewhere it is less than that
    each = (entropy(first[:, unsure]) + entropy(second[:, unsure])) / 2
    mutual[unsure] = (total[unsure] - each).clamp_min(0)
    return Maps(top_class(mean)[1], regions, total, mutual)
