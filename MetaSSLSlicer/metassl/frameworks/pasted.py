"""The step that the pasting frameworks share: learn on labelled and unlabelled patches pasted into each other.

The pasting is that of Bai et al., Bidirectional Copy-Paste, CVPR 2023: with few labels it carries what the annotation
knows into unlabelled surroundings.

Two frozen predictions of the clean unlabelled patches, the references, split its voxels into the four regions. A
trained network sees the pasted patches. Unlabelled voxels count by the references' regions, labelled voxels by the
network's own prediction against the annotation (METHOD.md, section 2, FIG).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from metassl.data.streams import Batch
from metassl.method.supervised import DICE_SMOOTH, cross_entropy_map, merge_missing, split_annotation

WARM_UP = 0.2  # of the schedule, on labelled patches only
WARM_UP_STEPS = 500  # at least: networks that know too little teach each other nothing (docs/ABLATION.md)
MOST_WARM_UP = 0.6  # of the schedule
RAMP = 0.15  # of the schedule, until the unlabelled voxels count in full
UNLABELLED_WEIGHT = 0.5
BOX_SHARE = 2 / 3  # of each side of the patch


def random_boxes(
    count: int, shape: tuple[int, ...], share: float = BOX_SHARE, device: torch.device | None = None
) -> torch.Tensor:
    """Boolean (count, 1, *shape) on `device`, one random box each, which takes `share` of each side.

    Their places are drawn from torch's global generator on the CPU, so that no device is waited for.
    """
    boxes = torch.zeros(count, 1, *shape, dtype=torch.bool, device=device)
    for box in boxes:
        places = []
        for length in shape:
            size = max(1, int(length * share))
            start = int(torch.randint(length - size + 1, ()))
            places.append(slice(start, start + size))
        box[(0, *places)].fill_(True)
    return boxes


def boxes_for(batch: Batch) -> torch.Tensor:
    """One for each labelled patch: bool (B, 1, z, y, x), where the patches are."""
    return random_boxes(len(batch.annotation), tuple(batch.annotation.shape[1:]), device=batch.annotation.device)


def warm_up_share(planned_steps: int) -> float:
    """Of the schedule, for labelled patches only; planned_steps: 0 where not known."""
    return max(WARM_UP, min(WARM_UP_STEPS / planned_steps, MOST_WARM_UP)) if planned_steps else WARM_UP


def unlabelled_strength(since_warm_up: float) -> float:
    """A linear ramp from 0 to its full value; since_warm_up: share of the schedule that has passed since then."""
    return UNLABELLED_WEIGHT * min(max(since_warm_up / RAMP, 0.0), 1.0)


@dataclass
class Pasted:
    """Patches with labelled voxels in a random box of unlabelled ones, or the other way round.

    Every network draws its own: half the work of learning from both ways in each step, and two networks that see
    different images stay different.

    images (B, C, z, y, x); from_label (B, z, y, x), true where the voxel is a labelled one; missing: as in a Batch.
    """

    images: torch.Tensor
    from_label: torch.Tensor
    missing: torch.Tensor | None

    @staticmethod
    def of(batch: Batch) -> Pasted:
        """Either way round, as a coin falls."""
        box = boxes_for(batch)
        if torch.rand(()) < 0.5:
            box = ~box
        return Pasted(torch.where(box, batch.labelled, batch.unlabelled), box[:, 0], batch.missing)

    @staticmethod
    def both_ways(batch: Batch) -> tuple[Pasted, Pasted]:
        """Labelled boxes in unlabelled patches, and the same boxes of the unlabelled patches in the labelled ones."""
        box = boxes_for(batch)
        return (
            Pasted(torch.where(box, batch.labelled, batch.unlabelled), box[:, 0], batch.missing),
            Pasted(torch.where(box, batch.unlabelled, batch.labelled), ~box[:, 0], batch.missing),
        )

    def as_annotated(self, logits: torch.Tensor) -> torch.Tensor:
        """`merge_missing` of the labelled voxels; labels of unlabelled ones speak about every class."""
        if self.missing is None:
            return logits
        return merge_missing(logits, self.missing & self.from_label[:, None])

    def join(self, labelled: torch.Tensor, unlabelled: torch.Tensor) -> torch.Tensor:
        """Maps (B, z, y, x) of both kinds of patches, pasted like the images."""
        return torch.where(self.from_label, labelled, unlabelled)


def weighted_supervision(log_softmax: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
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
