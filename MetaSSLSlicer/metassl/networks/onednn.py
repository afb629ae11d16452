"""The fast convolutions for a single image on a CPU."""

from __future__ import annotations

import platform

import torch
from torch.overrides import TorchFunctionMode

CONVOLUTIONS = (torch.conv3d, torch.conv_transpose3d)


class OneDNN(TorchFunctionMode):
    """Within this context oneDNN computes the 3-D convolutions of single float32 images.

    Of its own accord torch (2.13, `ConvParams::use_mkldnn`) takes a slow general path for a batch of one small image: a
    training step of ours took 2.7 times as long as one with a batch of two. In oneDNN's own layout it has no choice.
    """

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function in CONVOLUTIONS and args[0].dtype == torch.float32 and len(args[0]) == 1:
            return function(args[0].to_mkldnn(), *args[1:], **kwargs).to_dense()
        return function(*args, **kwargs)


def onednn_helps() -> bool:
    """A CPU of the kind on which this was measured."""
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    return x86 and torch.backends.mkldnn.is_available()
