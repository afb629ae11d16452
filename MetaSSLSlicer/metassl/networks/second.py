"""A second network for the map, where a model has one alone."""

from __future__ import annotations

import copy

import torch
from torch import nn

SPREAD = 0.2
"""Of the noise on each layer's weights, in their standard deviations (docs/start_from_a_model.md has the figures)."""

SEED = 0


@torch.no_grad()
def perturbed(network: nn.Module) -> nn.Module:
    """A copy whose kernels are a little off, the same one each time: it differs where the network is on an edge."""
    generator = torch.Generator().manual_seed(SEED)
    other = copy.deepcopy(network)
    for weight in other.parameters():
        if weight.dim() > 1:
            noise = torch.randn(weight.shape, generator=generator).to(weight)
            weight.add_(SPREAD * weight.std() * noise)
    return other
