"""Counts and sums per class or per region, without a host-device synchronisation."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

import torch
from torch import Tensor


def added(terms: Iterable[Tensor]) -> Tensor:
    """Their sum: at least one, from the first to the last."""
    return reduce(torch.add, terms)


def membership(index: Tensor, size: int) -> Tensor:
    """One-hot membership (B, size, N), bool, of an index map (B, ...).

    Values outside 0..size-1 belong to nobody.
    """
    flat = index.flatten(1).unsqueeze(1)
    return flat == torch.arange(size, device=index.device, dtype=index.dtype).view(1, -1, 1)


def counts_and_sums(index: Tensor, values: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Count the voxels of every index and sum `values` over them.

    `index` and `values` are (B, ...) maps. Returns counts (size,) int64 and sums (size,) float32.
    A masked sum is deterministic on every device; bincount and scatter_add are not on CUDA,
    and they add up float32 one by one.
    """
    member = membership(index, size)
    sums = (member * values.detach().flatten(1).unsqueeze(1)).sum(dim=2)
    return member.sum(dim=(0, 2)), sums.sum(dim=0)
