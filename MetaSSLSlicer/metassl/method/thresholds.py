"""The adaptive thresholds (METHOD.md, section 3)."""

from __future__ import annotations

from enum import IntEnum

import torch
import torch.distributed as dist
from torch import Tensor, nn

from .counting import counts_and_sums


class Half(IntEnum):
    """The two halves of a batch."""

    LABELLED = 0
    UNLABELLED = 1


class AdaptiveThresholds(nn.Module):
    """tau[half][network][class]: a moving average of the confidence per predicted class.

    Networks are counted from 0. The state is a buffer, so it is saved in the state dict and
    follows the module to its device.

    alpha: weight of the present batch. initial: the state before the first batch.
    cap, floor: bounds of the threshold where it is used; the state itself is not bounded.
    n_min: a class with fewer voxels in the batch keeps its threshold (0 = always update).
    dtype: float64 as published, or float32 for devices without float64.
    """

    state: Tensor
    is_pooled = True
    """Whether the processes of torch.distributed see batches of their own."""

    def __init__(
        self,
        num_classes: int,
        alpha: float = 0.5,
        cap: float = 1.0,
        floor: float = 0.0,
        n_min: int = 0,
        initial: float = 0.9,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        if not 0.0 <= floor <= cap:
            raise ValueError(f"threshold floor {floor} is above the cap {cap}")
        self.num_classes = num_classes
        self.alpha = alpha
        self.cap = cap
        self.floor = floor
        self.n_min = n_min
        self.register_buffer("state", torch.full((2, 2, num_classes), initial, dtype=dtype))

    @torch.no_grad()
    def update(
        self,
        labels: Tensor,
        confidence: Tensor,
        half: int,
        net: int,
        valid: Tensor | None = None,
    ) -> None:
        """Follow one batch of hard `labels` and their `confidence`, both (B, ...).

        Voxels where `valid` (bool) is False are left out. Under torch.distributed the counts
        and sums of all processes are pooled.
        """
        if valid is not None:
            labels = labels.masked_fill(~valid, self.num_classes)
        counts, sums = counts_and_sums(labels, confidence, self.num_classes)
        pooled = torch.stack([counts.to(self.state.dtype), sums.to(self.state.dtype)])
        if self.is_pooled and dist.is_available() and dist.is_initialized():
            dist.all_reduce(pooled)
        counts, sums = pooled
        mean = sums / (counts + 1)
        old = self.state[half, net]
        new = self.alpha * mean + (1 - self.alpha) * old
        usable = (counts >= self.n_min) & torch.isfinite(mean)
        self.state[half, net] = torch.where(usable, new, old)

    def per_class(self, half: int, net: int) -> Tensor:
        """Thresholds (C,) in use: the state between floor and cap."""
        return self.state[half, net].clamp(self.floor, self.cap)
