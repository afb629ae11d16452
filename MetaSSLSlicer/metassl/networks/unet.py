"""The network of a plan."""

from __future__ import annotations

from monai.networks.blocks.upsample import UpSample
from monai.networks.nets.dynunet import DynUNet
from torch import nn

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


def build_network(plan: Plan) -> UNet:
    """A U-Net with instance normalisation and leaky ReLU, with fresh random weights.

    Takes (B, in_channels, z, y, x) with sizes that are multiples of `plan.total_stride`, and
    returns logits (B, classes, z, y, x).
    """
    return UNet(
        spatial_dims=3,
        in_channels=plan.in_channels,
        out_channels=plan.classes,
        kernel_size=plan.kernels,
        strides=plan.strides,
        upsample_kernel_size=plan.strides[1:],
        filters=plan.filters,
        norm_name=("INSTANCE", {"affine": True}),
        act_name=("leakyrelu", {"inplace": True, "negative_slope": 0.01}),
        deep_supervision=False,
        res_block=False,
    )
