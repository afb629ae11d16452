"""A memory that is too small for a training step or for a window, to the byte: torch's own error comes out of it.

What a step keeps for its backward pass is counted as torch keeps it. Where the count goes over the limit, torch is
asked for more memory than there is, on the device of the tensor, and fails as it does when the memory is really full.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from metassl.networks.unet import UNet
from metassl.training.loop import Trainer

MORE_THAN_THERE_IS = 1 << 48


class Kept:
    """A tensor that is kept for the backward pass; it counts until torch lets go of it."""

    def __init__(self, tensor: torch.Tensor, meter: Meter) -> None:
        self.tensor, self.meter = tensor.detach(), meter  # with its history it would hold itself
        self.bytes = tensor.numel() * tensor.element_size()
        meter.take(self)

    def __del__(self) -> None:
        self.meter.bytes -= self.bytes


class Meter:
    """Counts the bytes that are kept. `most`: so many were kept at once."""

    def __init__(self, limit: float = math.inf) -> None:
        self.limit, self.bytes, self.most = limit, 0, 0

    def take(self, kept: Kept) -> None:
        self.bytes += kept.bytes
        self.most = max(self.most, self.bytes)
        if self.bytes > self.limit:
            use_up(kept.tensor.device)

    def measure(self, step: Callable[[], object]) -> int:
        """The bytes that a training step keeps at once."""
        with torch.autograd.graph.saved_tensors_hooks(lambda tensor: Kept(tensor, self), lambda kept: kept.tensor):
            step()
        return self.most


def use_up(device: torch.device) -> None:
    """Ask torch for more memory than there is. Always raises."""
    torch.empty(MORE_THAN_THERE_IS, dtype=torch.uint8, device=device)
    raise AssertionError("there is more memory than anybody thought")


@contextmanager
def steps_keep_at_most(limit: float) -> Iterator[Meter]:
    """Training steps may keep so many bytes for their backward pass."""
    meter, whole = Meter(limit), Trainer.train_step

    def limited(trainer: Trainer, batch):
        with torch.autograd.graph.saved_tensors_hooks(lambda tensor: Kept(tensor, meter), lambda kept: kept.tensor):
            return whole(trainer, batch)

    Trainer.train_step = limited
    try:
        yield meter
    finally:
        Trainer.train_step = whole


@contextmanager
def windows_hold_at_most(voxels: int) -> Iterator[None]:
    """In prediction and calibration a network takes windows of so many voxels and no larger ones."""

    def check(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if isinstance(module, UNet) and not torch.is_grad_enabled() and math.prod(inputs[0].shape[2:]) > voxels:
            use_up(inputs[0].device)

    handle = torch.nn.modules.module.register_module_forward_pre_hook(check)
    try:
        yield
    finally:
        handle.remove()
