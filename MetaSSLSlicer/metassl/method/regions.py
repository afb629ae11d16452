"""The four regions (METHOD.md, section 2).

| agree | confident | region                     |
|-------|-----------|----------------------------|
| yes   | yes       | UC, unanimous, confident   |
| yes   | no        | US, unanimous, suspicious  |
| no    | yes       | DC, discrepant, confident  |
| no    | no        | DS, discrepant, suspicious |

All maps are (B, ...): any batch size, any number of spatial axes, any number of classes.
"""

from __future__ import annotations

from enum import IntEnum

import torch
from torch import Tensor

IGNORE_LABEL = 255


class Region(IntEnum):
    """Codes of a region map. IGNORED voxels take part in nothing."""

    IGNORED = 0
    UC = 1
    US = 2
    DC = 3
    DS = 4


REGIONS = (Region.UC, Region.US, Region.DC, Region.DS)


def is_confident(labels: Tensor, confidence: Tensor, thresholds: Tensor) -> Tensor:
    """conf(i) = [ c(i) > tau[k(i)] ], strictly greater.

    `thresholds` is either (C,), one per predicted class, or one per voxel, shaped as `labels`.
    A float32 confidence is compared with a float64 threshold exactly.
    """
    comparable = _comparable(thresholds, confidence)
    if thresholds.dim() == 1 and thresholds.shape != labels.shape:
        comparable = comparable.index_select(0, labels.reshape(-1).int()).view(labels.shape)
    elif thresholds.shape != labels.shape:
        raise ValueError(
            f"thresholds of shape {tuple(thresholds.shape)} are neither one per class "
            f"nor one per voxel of {tuple(labels.shape)}"
        )
    return confidence > comparable


def partition(
    reference_labels: Tensor,
    reference_confidence: Tensor,
    other_labels: Tensor,
    thresholds: Tensor,
    ignore_mask: Tensor | None = None,
) -> Tensor:
    """Partition the voxels of the direction other <- reference.

    Only the reference's confidence counts. `ignore_mask` (bool, True = leave out) gives IGNORED.
    Returns a uint8 map of Region codes, shaped as the labels.
    """
    agree = other_labels == reference_labels
    confident = is_confident(reference_labels, reference_confidence, thresholds)
    return _code(agree, confident, ignore_mask)


def partition_against_annotation(
    labels: Tensor,
    confidence: Tensor,
    annotation: Tensor,
    thresholds: Tensor,
    ignore_label: int = IGNORE_LABEL,
) -> Tensor:
    """Partition the voxels of one network by its agreement with the annotation.

    The confidence and the thresholds are the network's own. Voxels whose annotation is
    `ignore_label` are IGNORED. Returns a uint8 map of Region codes.
    """
    return partition(labels, confidence, annotation, thresholds, annotation == ignore_label)


def _code(agree: Tensor, confident: Tensor, ignore_mask: Tensor | None) -> Tensor:
    suspicious = (~confident).to(torch.uint8)
    discrepant = (~agree).to(torch.uint8)
    regions = suspicious + 2 * discrepant + 1
    return regions if ignore_mask is None else regions.masked_fill_(ignore_mask, Region.IGNORED)


def _comparable(thresholds: Tensor, confidence: Tensor) -> Tensor:
    """Round float64 thresholds down to float32: c > tau gives the same answer for float32 c.

    This spares a float64 map of the size of the image.
    """
    if thresholds.dtype != torch.float64 or confidence.dtype == torch.float64:
        return thresholds.to(confidence.dtype)
    nearest = thresholds.float()
    below = torch.nextafter(nearest, torch.full_like(nearest, -torch.inf))
    return torch.where(nearest.double() > thresholds, below, nearest)
