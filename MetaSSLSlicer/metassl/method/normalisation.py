"""From region weights to voxel weights: two ways to normalise (METHOD.md, sections 4 and 8)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Normalisation = Literal["region", "global"]


def voxel_weights(
    weights: Tensor,
    counts: Tensor,
    normalisation: Normalisation,
    count_offset: float = 1.0,
    n_min: int = 0,
) -> Tensor:
    """Weight of ONE voxel of every term, such that the loss is sum_i weight(term of i) CE(i).

    weights, counts: (T,) weight and size N of the terms.
    region: w_r / (N_r + count_offset), the weighted sum of the terms' means, as published.
    global: w_r / sum_r w_r N_r, one weighted mean; the order of the weights holds per voxel.
    A term with fewer than `n_min` voxels is left out.
    """
    sizes = counts.to(weights.dtype)
    kept = torch.where(counts >= n_min, weights, 0.0) if n_min else weights
    if normalisation == "region":
        return kept / (sizes + count_offset)
    if normalisation == "global":
        return kept / (kept * sizes).sum().clamp(min=1e-12)
    raise ValueError(f"unknown normalisation {normalisation!r}")
