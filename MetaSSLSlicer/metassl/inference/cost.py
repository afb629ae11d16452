"""How long predictions take on this machine, told before they are made."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch

from metassl.data.plan import Plan
from metassl.inference.sliding_window import OVERLAP, predict_pair, shown_box, window_size, window_starts

MAPS_SECONDS = 4e-7
"""For each voxel of the image's own grid, and core: its maps, from the pass, to files."""


def pass_seconds(
    networks: Sequence[torch.nn.Module],
    image: np.ndarray,
    plan: Plan,
    device: torch.device,
    clock: Callable[[], float],
) -> float:
    """What a pass over an image (C, z, y, x) on the plan's grid takes, from the time of one of its windows."""
    box = shown_box(image)
    if box is None:
        return 0.0
    shown = image[(slice(None), *box)]
    size = window_size(shown.shape[1:], plan)
    middle = (slice(max(0, (n - p) // 2), max(0, (n - p) // 2) + p) for n, p in zip(shown.shape[1:], size, strict=True))
    window = shown[(slice(None), *middle)]
    for _ in range(2):  # the first one also makes what later ones find ready
        begin = clock()
        predict_pair(networks, window, plan, device)
        seconds = clock() - begin
    count = math.prod(len(window_starts(n, p, OVERLAP)) for n, p in zip(shown.shape[1:], size, strict=True))
    return seconds * count
