"""The supervised loss S(n) = 0.5 (CE + Dice) (METHOD.md, section 4)."""

from __future__ import annotations

import torch
from torch import Tensor

from .counting import membership
from .regions import IGNORE_LABEL

DICE_SMOOTH = 1e-5


def split_annotation(annotation: Tensor, ignore_label: int = IGNORE_LABEL) -> tuple[Tensor, Tensor]:
    """Return a target that can be indexed with (int64, ignored voxels become 0), and the mask
    of annotated voxels (bool)."""
    valid = annotation != ignore_label
    return annotation.long().masked_fill(~valid, 0), valid


def merge_missing(logits: Tensor, missing: Tensor | None) -> Tensor:
    """Logits (or log-probabilities) of the classes that an annotation tells apart.

    `missing` (B, C or 1, ...), bool, broadcastable to `logits` (B, C, ...): the classes that the annotation says
    nothing about, as it was made before they existed; never the background. A voxel that it calls background may be one
    of them, so the background gets their probability, and they have none. Where none is missing, and with None,
    nothing changes, to the bit.
    """
    if missing is None:
        return logits
    joined = missing.clone()
    joined[:, 0] = True
    background = logits.masked_fill(~joined, -torch.inf).logsumexp(1, keepdim=True)
    nowhere = torch.finfo(logits.dtype).min / 2  # finite: 0 times infinity is no number
    return torch.cat([background, logits[:, 1:].masked_fill(missing[:, 1:], nowhere)], 1)


def cross_entropy_map(log_probabilities: Tensor, target: Tensor) -> Tensor:
    """CE(z, t)(i) of `log_probabilities` (B, C, ...) and `target` (B, ...) int64: (B, ...)."""
    return torch.nn.functional.nll_loss(log_probabilities, target, reduction="none")


def valid_mean(values: Tensor, valid: Tensor) -> Tensor:
    """Mean of `values` where `valid`; 0 where nothing is."""
    return (values * valid).sum() / valid.sum().clamp(min=1)


def dice_loss(probabilities: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """1 - Dice with squared denominators, over the whole batch, mean over all classes.

    `probabilities` (B, C, ...), `target` (B, ...) in 0..C-1, `valid` (B, ...) bool.
    """
    num_classes = probabilities.shape[1]
    truth = membership(target.masked_fill(~valid, -1), num_classes)
    p = (probabilities * valid.unsqueeze(1)).flatten(2)
    overlap = (p * truth).sum(dim=2).sum(dim=0)
    size = (p * p).sum(dim=2).sum(dim=0) + truth.sum(dim=(0, 2))
    return (1.0 - (2.0 * overlap + DICE_SMOOTH) / (size + DICE_SMOOTH)).mean()


def supervised_loss(logits: Tensor, annotation: Tensor, ignore_label: int = IGNORE_LABEL) -> Tensor:
    """0.5 (CE + Dice) of `logits` (B, C, ...) and `annotation` (B, ...), in float32.

    Voxels labelled `ignore_label` have no influence and get no gradient.
    """
    with torch.autocast(logits.device.type, enabled=False):
        logits = logits.float()
        target, valid = split_annotation(annotation, ignore_label)
        ce = cross_entropy_map(torch.log_softmax(logits, dim=1), target)
        dice = dice_loss(torch.softmax(logits, dim=1), target, valid)
        return 0.5 * (valid_mean(ce, valid) + dice)
