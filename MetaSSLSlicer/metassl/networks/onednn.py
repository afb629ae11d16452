"""The fast convolutions for a single image on a CPU."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

CONVOLUTIONS = (torch.conv3d, torch.conv_transpose3d)


class OneDNN(TorchFunctionMode):
    """Within this context oneDNN computes the 3-D convolutions of single float32 images.

    Of its own accord torch (2.13, `ConvParams::use_mkldnn`) takes a slow general path for a batch of one small image: a
    training step of ours took 2.7 times as long as one with a batch of two. In oneDNN's own layout it has no choice.
    """

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if function in CONVOLUTIONS and _takes_the_slow_path(args[0]):
            return function(args[0].to_mkldnn(), *args[1:], **kwargs).to_dense()
        return function(*args, **kwargs)


def _takes_the_slow_path(images: torch.Tensor) -> bool:
    return images.dtype == torch.float32 and images.shape[0] == 1 and not images.is_mkldnn


def fast_convolutions(device: torch.device) -> contextlib.AbstractContextManager:
    """OneDNN where it helps; a context that does nothing elsewhere."""
    return OneDNN() if device.type == "cpu" and onednn_helps() else contextlib.nullcontext()


def onednn_helps() -> bool:
    """A CPU of the kind on which this was measured."""
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    return x86 and torch.backends.mkldnn.is_available()
