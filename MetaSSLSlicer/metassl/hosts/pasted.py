"""The step that the hosts share: learn on labelled and unlabelled patches pasted into each other.

Two frozen predictions of the clean unlabelled patches, the references, split its voxels into the four regions. A
trained network sees the pasted patches. Unlabelled voxels count by the references' regions, labelled voxels by the
network's own prediction against the annotation (METHOD.md, section 2, FIG).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from metassl.data.streams import Batch
from metassl.hosts.mixing import paste, random_boxes
from metassl.method.supervised import DICE_SMOOTH, cross_entropy_map, split_annotation

WARM_UP = 0.2  # of the schedule, on labelled patches only
RAMP = 0.15  # of the schedule, until the unlabelled voxels count in full
UNLABELLED_WEIGHT = 0.5


def unlabelled_strength(fraction: float) -> float:
    """0 while warming up, then a linear ramp to its full value; fraction 0..1 of the schedule."""
    return UNLABELLED_WEIGHT * min(max((fraction - WARM_UP) / RAMP, 0.0), 1.0)


@dataclass
class Pasted:
    """One step's pasted patches; the first half has labelled voxels inside the box, the second outside it."""

    box: torch.Tensor
    images: torch.Tensor
    from_label: torch.Tensor

    @staticmethod
    def of(batch: Batch) -> Pasted:
        shape = tuple(batch.annotation.shape[1:])
        box = random_boxes(len(batch.annotation), shape).to(batch.labelled.device)
        inside = box[:, 0]
        images = paste(box, batch.labelled, batch.unlabelled)
        return Pasted(box, images, torch.cat([inside, ~inside]))

    def join(self, labelled: torch.Tensor, unlabelled: torch.Tensor) -> torch.Tensor:
        """Maps (B, z, y, x) of both halves, pasted like the images: (2B, z, y, x)."""
        return paste(self.box[:, 0], labelled, unlabelled)


def weighted_supervision(
    log_softmax: torch.Tensor, target: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """0.5 * (cross entropy + Dice), every voxel counting by its weight; IGNORE counts nothing.

    log_softmax (B, K, z, y, x), target int64 and weight (B, z, y, x).
    """
    known, valid = split_annotation(target)
    weight = weight * valid
    ce = cross_entropy_map(log_softmax, known)
    cross_entropy = (ce * weight).sum() / weight.sum().clamp_min(1)
    softmax = log_softmax.exp()
    weighted = softmax * weight[:, None]
    is_class = [known == k for k in range(log_softmax.shape[1])]
    intersection = torch.stack([(weighted[:, k] * here).sum() for k, here in enumerate(is_class)])
    present = torch.stack([(weight * here).sum() for here in is_class])
    predicted = (weighted * softmax).sum((0, 2, 3, 4))
    dice = 1 - (2 * intersection + DICE_SMOOTH) / (predicted + present + DICE_SMOOTH)
    return 0.5 * (cross_entropy + dice.mean())
