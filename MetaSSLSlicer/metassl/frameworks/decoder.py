"""Encoder and decoder of the network apart, and dropout between them.

Channel dropout in front of an upsampling stage (the spatial dropout of Tompson et al., CVPR 2015) leaves the encoder
alone, so that several passes share it. As it scales the input channels of a transposed convolution, one pass of it can
be folded into that convolution's weights: `thinned` gives an ordinary network that is one dropout pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from monai.networks.nets.dynunet import DynUNet
from torch import nn

from metassl.data.plan import Plan
from metassl.networks.unet import build_network

DROPOUT = 0.3
PAIR_SEED = 0


def _parts_of(network: nn.Module) -> DynUNet:
    """The network: a ModuleList does not say of what kind its modules are."""
    return cast(DynUNet, network)


def encoder_stages(network: nn.Module) -> list[nn.Module]:
    network = _parts_of(network)
    return [network.input_block, *network.downsamples, network.bottleneck]


def encode(network: nn.Module, images: torch.Tensor) -> list[torch.Tensor]:
    """Feature maps (B, F, z, y, x) of all levels, from the finest to the bottleneck."""
    features, out = [], images
    for stage in encoder_stages(network):
        out = stage(out)
        features.append(out)
    return features


def decode(network: nn.Module, features: Sequence[torch.Tensor], dropout: float = 0.0) -> torch.Tensor:
    """Logits (B, K, z, y, x); `dropout` of the channels that enter each upsampling stage."""
    network = _parts_of(network)
    *skips, out = features
    for stage, skip in zip(network.upsamples, reversed(skips), strict=True):
        out = stage(F.dropout3d(out, dropout) if dropout else out, skip)
    logits: torch.Tensor = network.output_block(out)
    return logits


def thinned_pair(network: nn.Module, plan: Plan) -> tuple[nn.Module, nn.Module]:
    """Two fixed dropout passes as networks of their own, frozen; no channel is missing in both."""
    return _thinned(network, plan, 0), _thinned(network, plan, 1)


def load_thinned_pair(network: nn.Module, pair: tuple[nn.Module, nn.Module]) -> None:
    """Give `network` the whole weights from which `thinned_pair` made this pair."""
    network.load_state_dict(pair[0].state_dict())
    stages = zip(*(_parts_of(each).upsamples for each in (network, *pair)), strict=True)
    with torch.no_grad():
        for (own, first, second), scale in zip(stages, _scales(pair[0], 0), strict=True):
            weights = first.transp_conv.conv.weight, second.transp_conv.conv.weight
            own.transp_conv.conv.weight.copy_(torch.where(_column(scale) > 0, *weights) / scale.max())


def _thinned(network: nn.Module, plan: Plan, number: int) -> nn.Module:
    device = next(network.parameters()).device
    # Not a deep copy: it would share the stages of a network that recomputes its activations.
    copy: nn.Module = build_network(plan)
    copy.load_state_dict(network.state_dict())
    with torch.no_grad():
        for stage, scale in zip(_parts_of(copy).upsamples, _scales(copy, number), strict=True):
            stage.transp_conv.conv.weight.mul_(_column(scale))
    return copy.requires_grad_(False).to(device)


def _scales(network: nn.Module, number: int) -> list[torch.Tensor]:
    """Per upsampling stage the factor of every input channel (F,) in fixed pass 0 or 1: 0, or 1 / (share kept)."""
    generator = torch.Generator().manual_seed(PAIR_SEED)
    scales = []
    for stage in _parts_of(network).upsamples:
        weight = stage.transp_conv.conv.weight
        channels = len(weight)
        dropped = min(max(1, round(DROPOUT * channels)), channels // 2)
        order = torch.randperm(channels, generator=generator)
        scale = torch.full((channels,), channels / (channels - dropped))
        scale[order[number * dropped : (number + 1) * dropped]] = 0.0
        scales.append(scale.to(weight.device))
    return scales


def _column(scale: torch.Tensor) -> torch.Tensor:
    """(F,) for a weight (F, out, z, y, x) of a transposed convolution."""
    return scale.view(-1, 1, 1, 1, 1)
