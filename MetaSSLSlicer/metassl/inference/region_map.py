"""The region map that is shown: symmetric in the two predictions (METHOD.md, section 8).

Unanimous: both arg-max labels agree. A prediction is confident in a voxel when its top probability lies above the
calibrated threshold of the class that it predicts there.

    UC  agree, both confident            DC  disagree, at least one confident
    US  agree, otherwise                 DS  disagree, neither confident

A disagreement of two confident networks hardly ever occurs, so DC asks for one confident side: a network that is
sure against another one that says something else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from metassl.method.regions import is_confident

NOT_PREDICTED, UC, US, DC, DS = range(5)
REGION_NAMES = {UC: "UC", US: "US", DC: "DC", DS: "DS"}


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


def region_map(first: torch.Tensor, second: torch.Tensor, thresholds: torch.Tensor) -> Maps:
    """first, second: softmax (K, z, y, x); thresholds (2, K) of the two networks."""
    (confidence_1, labels_1), (confidence_2, labels_2) = top_class(first), top_class(second)
    confident_1 = is_confident(labels_1, confidence_1, thresholds[0].to(first))
    confident_2 = is_confident(labels_2, confidence_2, thresholds[1].to(first))
    unanimous = torch.where(confident_1 & confident_2, UC, US)
    discrepant = torch.where(confident_1 | confident_2, DC, DS)
    regions = torch.where(labels_1 == labels_2, unanimous, discrepant).to(torch.uint8)
    mean = (first + second) / 2
    total = entropy(mean)
    mutual = (total - (entropy(first) + entropy(second)) / 2).clamp_min(0)
    return Maps(top_class(mean)[1], regions, total, mutual)
