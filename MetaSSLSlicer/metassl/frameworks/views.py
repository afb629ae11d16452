"""Strongly changed views of patches for FixMatch, in the manner of RandAugment followed by Cutout.

Cubuk et al., RandAugment, CVPR Workshops 2020; DeVries and Taylor, Improved Regularization of Convolutional Neural
Networks with Cutout, 2017. Only the intensities change, so that a weak view's labels fit voxel by voxel. All draws
come from torch's global generators: strengths and places on the CPU, fields and noise where the patches are.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from metassl.data.augment import local_mean
from metassl.frameworks.pasted import random_boxes

CHANGES = 2  # of every view, besides the cut-out box
CUT_OUT_SHARE = 0.4  # of each side of the patch


def strong_view(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The changed images (B, C, z, y, x), and where they are cut out: bool (B, z, y, x)."""
    views = torch.stack([_changed(image) for image in images])
    cut_out = random_boxes(len(views), tuple(views.shape[2:]), CUT_OUT_SHARE, views.device)
    means = views.mean((2, 3, 4), keepdim=True)
    return torch.where(cut_out, means, views), cut_out[:, 0]


def _changed(image: torch.Tensor) -> torch.Tensor:
    """(C, z, y, x), after CHANGES different changes of random strength."""
    for index in torch.randperm(len(_ALL))[:CHANGES].tolist():
        image = _ALL[index](image, float(torch.rand(())))
    return image


def _noise(image: torch.Tensor, strength: float) -> torch.Tensor:
    return image + strength * image.std() * torch.randn_like(image)


def _smooth(image: torch.Tensor, strength: float) -> torch.Tensor:
    return image.lerp(local_mean(image), strength)


def _sharpen(image: torch.Tensor, strength: float) -> torch.Tensor:
    return image + 2 * strength * (image - local_mean(image))


def _gamma(image: torch.Tensor, strength: float) -> torch.Tensor:
    low, high = image.amin(), image.amax()
    span = (high - low).clamp_min(1e-6)
    exponent = 3.0 ** (2 * strength - 1)
    return ((image - low) / span).pow(exponent) * span + low


def _bias_field(image: torch.Tensor, strength: float) -> torch.Tensor:
    field = torch.randn(1, 1, 3, 3, 3, dtype=image.dtype, device=image.device)
    field = F.interpolate(field, size=image.shape[1:], mode="trilinear", align_corners=True)[0]
    return image + strength * image.std() * field


def _coarse(image: torch.Tensor, strength: float) -> torch.Tensor:
    size = [max(1, round(length * (1 - strength / 2))) for length in image.shape[1:]]
    smaller = F.interpolate(image[None], size=size, mode="trilinear")
    return F.interpolate(smaller, size=image.shape[1:], mode="trilinear")[0]


_ALL = (_noise, _smooth, _sharpen, _gamma, _bias_field, _coarse)
