"""The networks that nnU-Net trains, PlainConvUNet and ResidualEncoderUNet, with the parts by the names of a DynUNet.

A 2-D network is one whose kernels are flat.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from metassl.data.given import Given
from metassl.data.plan import Plan
from metassl.data.topology import Triple
from metassl.imaging.geometry import triple

SLOPE = 0.01
NO_STRIDE: Triple = (1, 1, 1)


class Convolution(nn.Module):
    """Convolution, instance normalisation and, where it is active, leaky ReLU: (B, C, z, y, x)."""

    def __init__(
        self, inputs: int, outputs: int, kernel: Triple, stride: Triple, bias: bool, active: bool = True
    ) -> None:
        super().__init__()
        self.conv = nn.Conv3d(inputs, outputs, kernel, stride, triple(size // 2 for size in kernel), bias=bias)
        self.norm = nn.InstanceNorm3d(outputs, affine=True)
        self.active = active

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.norm(self.conv(features))
        return nn.functional.leaky_relu(out, SLOPE, inplace=True) if self.active else out


class Residual(nn.Module):
    """Two convolutions, and what goes round them pooled (ResNet-D: He et al., CVPR 2019)."""

    def __init__(self, inputs: int, outputs: int, kernel: Triple, stride: Triple, bias: bool) -> None:
        super().__init__()
        self.conv1 = Convolution(inputs, outputs, kernel, stride, bias)
        self.conv2 = Convolution(outputs, outputs, kernel, NO_STRIDE, bias, active=False)
        self.pool = nn.AvgPool3d(stride, stride) if stride != NO_STRIDE else nn.Identity()
        self.projection: nn.Module = nn.Identity()
        if inputs != outputs:
            self.projection = Convolution(inputs, outputs, NO_STRIDE, NO_STRIDE, bias=False, active=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.conv2(self.conv1(features)) + self.projection(self.pool(features))
        return nn.functional.leaky_relu(out, SLOPE, inplace=True)


class Transposed(nn.Module):
    """A transposed convolution whose stride is its kernel."""

    def __init__(self, inputs: int, outputs: int, stride: Triple, bias: bool) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose3d(inputs, outputs, stride, stride, bias=bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.conv(features)
        return out


class Up(nn.Module):
    """One level of the decoder: takes the level below and what the encoder saw on this one."""

    def __init__(
        self, inputs: int, outputs: int, kernel: Triple, stride: Triple, convolutions: int, bias: bool
    ) -> None:
        super().__init__()
        self.transp_conv = Transposed(inputs, outputs, stride, bias)
        sizes = [2 * outputs] + [outputs] * (convolutions - 1)
        self.convolutions = nn.Sequential(*(Convolution(size, outputs, kernel, NO_STRIDE, bias) for size in sizes))

    def forward(self, below: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.convolutions(torch.cat([self.transp_conv(below), skip], dim=1))
        return out


class Outputs(nn.Module):
    """Logits of the classes. classes: the class of each output of the layer, whose probabilities are added."""

    def __init__(self, inputs: int, classes: tuple[int, ...]) -> None:
        super().__init__()
        self.conv = nn.Conv3d(inputs, len(classes), 1)
        self.classes = classes

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.conv(features)
        if self.classes == tuple(range(len(self.classes))):
            return logits
        of_class = [[n for n, each in enumerate(self.classes) if each == k] for k in range(max(self.classes) + 1)]
        return torch.stack([logits[:, outputs].logsumexp(1) for outputs in of_class], dim=1)


class GivenUNet(nn.Module):
    """Takes (B, in_channels, z, y, x), sizes multiples of `plan.total_stride`; returns logits (B, classes, z, y, x)."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        given = cast(Given, plan.given)
        inputs = plan.in_channels
        stages: list[nn.Module] = []
        levels = zip(plan.filters, plan.kernels, plan.strides, given.convolutions, strict=True)
        for outputs, kernel, stride, count in levels:
            blocks: list[nn.Module] = []
            if given.residual and not stages:
                blocks.append(Convolution(inputs, outputs, kernel, NO_STRIDE, given.biased))
                inputs = outputs
            kind = Residual if given.residual else Convolution
            blocks.append(kind(inputs, outputs, kernel, stride, given.biased))
            blocks += [kind(outputs, outputs, kernel, NO_STRIDE, given.biased) for _ in range(count - 1)]
            stages.append(nn.Sequential(*blocks))
            inputs = outputs
        self.input_block, self.bottleneck = stages[0], stages[-1]
        self.downsamples = nn.ModuleList(stages[1:-1])
        ups = []
        for level, count in zip(range(len(plan.filters) - 2, -1, -1), given.decoder_convolutions, strict=True):
            below, outputs = plan.filters[level + 1], plan.filters[level]
            ups.append(Up(below, outputs, plan.kernels[level], plan.strides[level + 1], count, given.biased))
        self.upsamples = nn.ModuleList(ups)
        self.output_block = Outputs(plan.filters[0], given.outputs)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = [self.input_block(images)]
        for stage in (*self.downsamples, self.bottleneck):
            features.append(stage(features[-1]))
        out = features.pop()
        for stage in self.upsamples:
            out = stage(out, features.pop())
        logits: torch.Tensor = self.output_block(out)
        return logits
