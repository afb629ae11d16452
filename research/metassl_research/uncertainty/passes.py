"""Networks that are one pass of a sampling method: the sliding window takes them as any other network."""

from __future__ import annotations

from itertools import combinations

import torch
from metassl.frameworks.decoder import decode, encode
from torch import nn

FLIPS: tuple[tuple[int, ...], ...] = tuple(axes for count in range(4) for axes in combinations((2, 3, 4), count))
"""The eight ways to mirror (B, C, z, y, x), the first of which does nothing."""

DROPOUT = 0.1
"""Of 0.05, 0.1, 0.2, 0.3 and 0.5 the rate with the best AUROC for MC dropout, on hippocampus cases outside the test."""


class DropoutPass(nn.Module):
    """One Monte-Carlo dropout pass (Gal and Ghahramani, ICML 2016): other channels are dropped in every call.

    The networks have no dropout layers of their own: channel dropout is put in front of every upsampling stage, as
    the single-network frameworks do in training (`metassl.frameworks.decoder`). A model of another framework never
    saw it.
    """

    def __init__(self, network: nn.Module, dropout: float = DROPOUT) -> None:
        super().__init__()
        self.network, self.dropout = network, dropout

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return decode(self.network, encode(self.network, images), self.dropout)


class FlippedPass(nn.Module):
    """The network on mirrored windows, its logits mirrored back (test-time augmentation)."""

    def __init__(self, network: nn.Module, axes: tuple[int, ...]) -> None:
        super().__init__()
        self.network, self.axes = network, axes

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.network(images.flip(self.axes))
        return logits.flip(self.axes)
