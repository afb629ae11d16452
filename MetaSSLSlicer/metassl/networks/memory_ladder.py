"""What to give up, in which order, when the memory is full."""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

from metassl.data.budget import half_precision
from metassl.data.plan import Plan
from metassl.imaging.geometry import triple
from metassl.networks.onednn import fast_convolutions

SMALLEST_PATCH = 16
OUT_OF_MEMORY_ERRORS = (RuntimeError, MemoryError, OSError)
"""To be caught, and asked whether they are: see is_out_of_memory."""
_SIGNS = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "bad_alloc",
    "alloc_failed",  # cuDNN, cuBLAS
    "allocation_failed",  # cuDNN 9
    "cublas_status_not_initialized",
    "cudnn_status_not_initialized",
    "unable to find an engine",  # cuDNN, when none of its algorithms got the memory that it needs
    "unable to find a valid cudnn algorithm",
    "could not create a primitive",  # oneDNN, which does not say why
    "could not create a memory",
    "could not execute a primitive",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: Python, torch, and the libraries that it calls each say so in their own way."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(sign in text for sign in _SIGNS)


def next_rung(plan: Plan, device: torch.device, checkpointing: bool) -> tuple[Plan, torch.device, bool, str] | None:
    """The next rung down: (plan, device, checkpointing, message), or None at the bottom."""
    if device.type == "cuda" and plan.precision == "fp32":
        precision = half_precision(str(device))
        return replace(plan, precision=precision), device, checkpointing, f"mixed precision ({precision})"
    if plan.batch[0] > 1:
        smaller = (plan.batch[0] // 2, max(plan.batch[1] // 2, 1))
        return replace(plan, batch=smaller), device, checkpointing, f"batch {smaller[0]} + {smaller[1]}"
    patch = smaller_patch(plan)
    if patch is not None:
        text = "patch " + " x ".join(map(str, patch))
        return replace(plan, patch_zyx=patch), device, checkpointing, text
    if not checkpointing:
        return plan, device, True, "gradient checkpointing"
    if device.type != "cpu":
        return replace(plan, precision="fp32"), torch.device("cpu"), checkpointing, "training on the CPU"
    return None


def smaller_patch(plan: Plan) -> tuple[int, int, int] | None:
    """Half the longest side that can still be halved on the network's stride, or None."""
    stride = [1, 1, 1]
    for step in plan.strides:
        stride = [a * b for a, b in zip(stride, step, strict=True)]
    patch = list(plan.patch_zyx)
    for axis in sorted(range(3), key=lambda i: -patch[i]):
        half = patch[axis] // 2 // stride[axis] * stride[axis]
        if half >= max(SMALLEST_PATCH, 2 * stride[axis]):
            patch[axis] = half
            return triple(patch)
    return None


def use_gradient_checkpointing(network: Any) -> None:
    """Recompute each stage of a DynUNet in the backward pass instead of keeping its activations."""
    stages = [network.input_block, network.bottleneck, *network.downsamples, *network.upsamples]
    for stage in stages:
        forward = stage.forward

        def recomputed(*inputs: torch.Tensor, forward: Callable[..., Any] = forward) -> Any:
            device = inputs[0].device

            def contexts() -> tuple[AbstractContextManager, AbstractContextManager]:
                return fast_convolutions(device), fast_convolutions(device)  # checkpoint restores autocast only

            return checkpoint(forward, *inputs, use_reentrant=False, context_fn=contexts)

        stage.forward = recomputed
