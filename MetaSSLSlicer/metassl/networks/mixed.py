"""Weights between those that a training began with and those that it came to.

Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022: along the way from the one to the other a network is
better than at either end, where few labels have taught it and much of what it knew still holds.
"""

from __future__ import annotations

import torch
from torch import nn

OUTWEIGHED = 280
"""Steps whose weights count as much as those before them."""


def share_of(steps: int) -> float:
    """How far to go, 0 to 1: what few steps have learnt counts little."""
    return steps / (steps + OUTWEIGHED)


@torch.no_grad()
def go_part_of_the_way(trained: nn.Module, began: nn.Module, share: float) -> None:
    """Bring the weights of `trained` to so much of their way from those of `began`, a network of the same kind."""
    before = began.state_dict()
    for name, weights in trained.state_dict().items():
        if weights.is_floating_point():
            weights.lerp_(before[name].to(weights), 1 - share)
