"""The networks of a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from monai.networks.nets import DynUNet
from torch import nn

from metassl.data.budget import device_type
from metassl.data.plan import Plan

FULL, LIGHT = "full", "light"
FEWEST_LEVELS = 3
"""Of a DynUNet."""


def build_network(plan: Plan, size: str = FULL) -> nn.Module:
    """A U-Net with instance normalisation and leaky ReLU, with fresh random weights.

    Takes (B, in_channels, z, y, x) with sizes that are multiples of `plan.total_stride`, and returns logits
    (B, classes, z, y, x). LIGHT: without the level of full resolution, on which most of the time is spent.
    """
    if size == LIGHT and len(plan.filters) > FEWEST_LEVELS:
        return LightNetwork(plan)
    return _unet(plan.in_channels, plan.classes, _Levels(plan.kernels, plan.strides, plan.filters))


def size_of(network: nn.Module) -> str:
    """FULL or LIGHT: what `build_network` needs to make such a network again."""
    return LIGHT if isinstance(network, LightNetwork) else FULL


class LightNetwork(nn.Module):
    """Pools by a strided convolution, works on the coarser grid, and puts classes back by a transposed convolution."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        step, first = plan.strides[1], plan.filters[1]
        self.pool = nn.Conv3d(plan.in_channels, first, step, step)
        strides = ((1, 1, 1), *plan.strides[2:])
        self.unet = _unet(first, first, _Levels(plan.kernels[1:], strides, plan.filters[1:]))
        self.unpool = nn.ConvTranspose3d(first, plan.classes, step, step)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.unpool(self.unet(self.pool(images)))


@dataclass(frozen=True)
class _Levels:
    kernels: Sequence
    strides: Sequence
    filters: Sequence


def _unet(in_channels: int, out_channels: int, levels: _Levels) -> DynUNet:
    return DynUNet(
        spatial_dims=3,
        in_channels=in_channels,
        out_channels=out_channels,
        kernel_size=levels.kernels,
        strides=levels.strides,
        upsample_kernel_size=levels.strides[1:],
        filters=levels.filters,
        norm_name=("INSTANCE", {"affine": True}),
        act_name=("leakyrelu", {"inplace": True, "negative_slope": 0.01}),
        deep_supervision=False,
        res_block=False,
    )


def memory_format(device: str) -> torch.memory_format:
    """The layout in which network and inputs are fastest on this device."""
    if device_type(device) == "cpu":
        return torch.channels_last_3d
    return torch.contiguous_format
