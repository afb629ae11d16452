"""The network of a plan, and both networks of a model as one.

A MONAI bundle gets a copy of this file (inference/bundle): it needs nothing but MONAI.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from monai.networks.blocks.upsample import UpSample
from monai.networks.nets.dynunet import DynUNet
from torch import nn

if TYPE_CHECKING:
    from metassl.data.plan import Plan


class UNet(DynUNet):
    """MONAI's DynUNet; where its first level pools already, the logits are brought back to the image's grid linearly.

    A transposed convolution there leaves a comb of single voxels wherever the network is unsure (Odena et al., Distill
    2016).
    """

    def get_output_block(self, idx: int) -> nn.Module:
        """The layer from the features of level `idx` to logits on the grid of the image."""
        step = self.strides[0]
        layer: nn.Module
        if step in (1, (1, 1, 1), [1, 1, 1]):
            layer = super().get_output_block(idx)
            return layer
        return UpSample(
            self.spatial_dims,
            self.filters[idx],
            self.out_channels,
            scale_factor=step,
            mode="nontrainable",
            align_corners=False,
        )


class Pair(nn.Module):
    """Both networks of a model: the mean of their probabilities, whose largest is the label.

    Takes (B, channels, z, y, x), returns (B, classes, z, y, x) in 0..1. offsets: one a class on the logits of both.
    """

    def __init__(self, first: nn.Module, second: nn.Module, offsets: Sequence[float] | None = None) -> None:
        super().__init__()
        self.first = first
        self.second = second
        self.shift = None if offsets is None else torch.tensor(offsets).view(1, -1, 1, 1, 1)  # no part of the weights

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        first, second = self.first(image), self.second(image)
        if self.shift is not None:
            first, second = first + self.shift.to(first), second + self.shift.to(second)
        mean: torch.Tensor = (first.softmax(1) + second.softmax(1)) / 2
        return mean


def network_arguments(plan: Plan) -> dict[str, Any]:
    """What `UNet` takes for the network of a plan: plain values, as JSON can hold them."""
    return {
        "spatial_dims": 3,
        "in_channels": plan.in_channels,
        "out_channels": plan.classes,
        "kernel_size": plan.kernels,
        "strides": plan.strides,
        "upsample_kernel_size": plan.strides[1:],
        "filters": plan.filters,
        "norm_name": ("INSTANCE", {"affine": True}),
        "act_name": ("leakyrelu", {"inplace": True, "negative_slope": 0.01}),
        "deep_supervision": False,
        "res_block": False,
    }


def build_network(plan: Plan) -> Any:
    """A U-Net with instance normalisation and leaky ReLU, with fresh random weights.

    Takes (B, in_channels, z, y, x) with sizes that are multiples of `plan.total_stride`, and
    returns logits (B, classes, z, y, x). Of a model from elsewhere it is that model's.
    """
    if plan.given is not None:
        from metassl.networks.given_unet import GivenUNet

        return GivenUNet(plan)
    return UNet(**network_arguments(plan))
