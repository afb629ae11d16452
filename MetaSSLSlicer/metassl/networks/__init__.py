"""The network of a plan, the device that it runs on, what to give up when its memory is full, and its file."""

import torch

RESOLVED_LATE = (
    *("acos", "asin", "atan", "cos", "cosh", "erf", "erfc", "erfinv", "exp", "expm1", "lgamma"),
    *("log", "log10", "log1p", "log2", "sin", "sinh", "sqrt", "tan", "tanh"),
)


def _resolve() -> None:
    """Have torch's elementwise functions be accurate from the first call on: call each once, on one thread.

    MKL chooses the code of a function in its first call. When that comes from two threads at once, one of them may
    compute its share with a relative error of 1e-4 (https://github.com/pytorch/pytorch/issues/188792): the first step
    of a training then differed from run to run.
    """
    for dtype in (torch.float32, torch.float64):
        one = torch.ones(1, dtype=dtype)
        for name in RESOLVED_LATE:
            getattr(torch, name)(one)


_resolve()
