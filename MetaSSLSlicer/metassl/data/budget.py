"""What a device can afford: voxels in a patch, filters, images in a batch, number format."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch

NETWORKS = 2
"""The largest frameworks train two networks at once."""

MEMORY_SHARE = 0.6
"""The rest is for the framework's own workspace, the images in flight and everything else."""

MAX_IMAGE_PATCHES = 128
"""The median image is at most this many patches; beyond, a case would take too many windows."""

LEAST_PATCH = 96**3
"""Voxels. Where the memory is too small for such a patch of two images per half, it is one image, seen larger."""


@dataclass(frozen=True)
class Budget:
    """Limits for one device. Voxels are per patch; images are per half of the batch.

    pools_first: the network pools before its first level and has no layers at full resolution, where most of the
    time goes; `first_filters` is then of the level that is left out.
    stack_image: the planes of a stack are coarsened, within limits, until the median image has at most so many voxels.
    slice_voxels: so many at most has a slice, where slices are learnt one by one.
    starts_coarse: other images are coarsened until they are as few patches as the quality asks for.
    """

    voxels: int
    stack_voxels: int
    first_filters: int
    max_filters: int
    max_images: int
    pools_first: bool = False
    stack_image: float = math.inf
    slice_voxels: int = 512**2
    starts_coarse: bool = False

    @property
    def with_large_network(self) -> Budget:
        """Where the network is a small one: twice the filters, and a level at full resolution."""
        if not self.pools_first:
            return self
        return replace(self, pools_first=False, first_filters=2 * self.first_filters, max_filters=2 * self.max_filters)


# Measured on two CPU cores: 90 000 voxels with (3, 3, 3) kernels and 210 000 voxels of a stack,
# whose upper levels have (1, 3, 3) kernels and pool in the plane only, take similar time (1 : 1.5).
# Hearts are seen whole with 120 000, which was better than to see them finer or a part of them (docs/ABLATION.md).
# A step without the finest level takes a third of the time, and in the few minutes that people wait
# for a CPU, steps are what is missing (docs/ABLATION.md).
CPU = Budget(90_000, 210_000, 8, 64, 1, pools_first=True, stack_image=120_000, slice_voxels=16_384, starts_coarse=True)
CUDA = Budget(128**3, 128**3, 32, 320, 8)
MPS = Budget(96**3, 96**3, 32, 256, 2)
BUDGETS = {"cpu": CPU, "cuda": CUDA, "mps": MPS}


def device_type(device: str) -> str:
    """The kind of a device, such as "cuda" for "cuda:1". Raises ValueError for an unknown one."""
    name = device.split(":")[0]
    if name not in BUDGETS:
        raise ValueError(f"unknown device {device!r}: use cpu, cuda or mps")
    return name


def choose_precision(device: str) -> str:
    """The number format of the forward pass: "bf16", "fp16" or "fp32"; always the same here.

    Full precision on a CPU: with the convolutions of networks/onednn.py a step took 0.7 to 0.8 of its time in bf16,
    even on a CPU that has instructions for bf16. Also on NVIDIA cards before Volta, which compute no faster in fp16.
    """
    if device_type(device) != "cuda":
        return "fp32"
    return "fp32" if _generation(device) < VOLTA else half_precision(device)


def half_precision(device: str) -> str:
    """The number format of half the size, "bf16" or "fp16", that an NVIDIA card computes in; bf16 needs no scaling."""
    return "bf16" if _generation(device) >= AMPERE else "fp16"


VOLTA, AMPERE = 7, 8  # compute capabilities: with units for fp16 matrices, and for bf16 as well


def _generation(device: str) -> int:
    return torch.cuda.get_device_capability(device)[0] if torch.cuda.is_available() else VOLTA


def bytes_per_voxel(first_filters: int, precision: str) -> int:
    """Memory of one network in training, per voxel of its input: an estimate, on the safe side.

    Measured: 15 feature maps of `first_filters` channels at full resolution are kept for the
    backward pass with cubic pooling, 21 with pooling in the plane only.
    """
    return first_filters * 24 * (4 if precision == "fp32" else 2)


def affordable_voxels(memory_bytes: int, budget: Budget, precision: str, images: int) -> int:
    """Voxels of a patch such that `images` of them, through every network, fit in the memory."""
    per_voxel = bytes_per_voxel(budget.first_filters, precision) * images * NETWORKS
    return int(MEMORY_SHARE * memory_bytes / per_voxel)
