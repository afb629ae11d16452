"""Which device trains, what it is called and how much memory it has."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from functools import cache

import torch

from metassl.files.errors import ErrorCode, MetaSSLError
from metassl.networks.memory_ladder import is_out_of_memory
from metassl.networks.onednn import fast_convolutions
from metassl.project.words import count


def choose_device(name: str = "auto") -> torch.device:
    """`auto` takes CUDA if it works, then MPS, then the CPU; one that is asked for but missing is a MetaSSLError."""
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name == "auto":
        name = "cuda" if cuda and not gpu_problem() else "mps" if mps else "cpu"
    if name.startswith("cuda") and not cuda:
        raise MetaSSLError("no CUDA device was found: use --device cpu, or see `metassl doctor`", ErrorCode.NO_DEVICE)
    if name == "mps" and not mps:
        raise MetaSSLError("no Apple MPS device was found: use --device cpu", ErrorCode.NO_DEVICE)
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise MetaSSLError(f"{name} is not a device: use auto, cpu, cuda or mps", ErrorCode.NO_DEVICE) from error


@cache
def gpu_problem() -> str:
    """Why the CUDA device that is there cannot train, as when it is too old for this torch; else "". It may be full."""
    try:
        if torch.cuda.is_available():
            train_a_step("cuda")
    except RuntimeError as error:
        if is_out_of_memory(error):
            return ""
        return (str(error).strip().splitlines() or [type(error).__name__])[0]
    return ""


def train_a_step(device: str) -> None:
    """One step of a small 3-D convolution. RuntimeError when the device cannot, or computes no number."""
    torch.manual_seed(0)
    layer = torch.nn.Conv3d(1, 2, 3, padding=1).to(device)
    loss = layer(torch.randn(1, 1, 8, 8, 8, device=device)).square().mean()
    loss.backward()
    gradient = layer.weight.grad
    if gradient is None or not torch.isfinite(loss) or not torch.isfinite(gradient).all():
        raise RuntimeError(f"a training step on {device} gave a loss that is not finite")


def device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return "Apple GPU (MPS)"
    cores = usable_cores()
    return f"CPU ({count(cores, 'core')})"


def usable_cores() -> int:
    """The cores that this process may use; no more than OMP_NUM_THREADS, where that is set."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(asked)) if asked.isdecimal() and int(asked) else cores


def memory_bytes(device: torch.device) -> int:
    """Memory that the plan may count on: all of a GPU, or the machine's for the CPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 8 << 30


def keep_to_gpu_memory(device: torch.device) -> None:
    """On Windows: have the driver say that its memory is full, where it would go on in the computer's, far slower."""
    if os.name == "nt" and device.type == "cuda":
        share = free_gpu_bytes(device) / torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(share, 1.0), device)


def free_gpu_bytes(device: torch.device) -> int:
    """What other programs and this one have left of a CUDA device's memory."""
    cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + cached


def memory_in_use_mb(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) >> 20
    with contextlib.suppress(ImportError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak >> 20 if sys.platform == "darwin" else peak >> 10
    return 0


def wait_for(device: torch.device) -> None:
    """Until it has done all that it was asked for; a CPU has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


@contextlib.contextmanager
def always_the_same_shapes(device: torch.device) -> Iterator[None]:
    """Context of training steps: cuDNN tries its algorithms on the first and keeps to the fastest.

    Predictions, whose windows have many shapes, would pay for the trying and gain nothing. The algorithms add in an
    order of their own, so that a run on a GPU repeats within the tolerance of its numbers, and not to the bit.
    """
    if device.type != "cuda":
        yield
        return
    before, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager:
    """Context of the forward pass; the losses leave it by themselves.

    A model that was planned for an NVIDIA GPU runs in full precision elsewhere.
    """
    if device.type == "cpu":
        return fast_convolutions(device)
    if device.type != "cuda" or precision not in AUTOCAST:
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=AUTOCAST[precision])
