"""Both networks over all windows in one pass, in bounded memory.

Air is left out. Rows of windows go through the rest along z. Only one row's depth is accumulated in float32; what no
later window can touch is normalised and put away as float16, on disk when it is large.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Sequence

import numpy as np
import torch

from metassl.data.plan import Plan
from metassl.imaging.geometry import triple
from metassl.inference.elsewhere.windows import predict_given
from metassl.inference.operating_point.point import AS_IT_IS, Point
from metassl.networks.device import autocast, free_gpu_bytes
from metassl.project.masks import bounding_box, dilate

OVERLAP = 0.5
"""Of a window with the next one."""

REACH, BORDER = 3, 4
"""Voxels that are farther from anything that shows are empty; windows go so many voxels beyond those that are not."""

IN_MEMORY_BYTES = 1 << 30
ON_DEVICE_BYTES = 2 << 30
WINDOWS_AT_ONCE = {"cuda": 2}
STRETCH = 1.5
"""Windows are so much longer than the patch, and an axis up to that length is seen whole. A larger window sees more at
less cost. Twice as long is too much: the mean and spread of what is in it, by which the network normalises, are others
than in training (Testing/benchmarks/big_images.jsonl has the figures)."""


def window_starts(length: int, window: int, overlap: float) -> list[int]:
    """First voxels of windows that cover `length`, evenly spaced, overlapping at least by `overlap`."""
    if length <= window:
        return [0]
    count = int(np.ceil((length - window) / max(1, int(window * (1 - overlap))))) + 1
    return [int(start) for start in np.linspace(0, length - window, count).round()]


def window_size(shape: tuple[int, ...], plan: Plan) -> tuple[int, ...]:
    """The training patch, stretched, or as long as the image where that is less."""

    def along(length: int, patch: int, stride: int) -> int:
        if length <= STRETCH * patch:
            return max(patch, -(-length // stride) * stride)
        return int(STRETCH * patch) // stride * stride

    return tuple(map(along, shape, plan.patch_zyx, plan.total_stride))


def gaussian_weights(patch: tuple[int, ...], sigma: float = 0.125) -> torch.Tensor:
    """Importance of a window's voxels, (z, y, x), 1 at the centre and never below 1e-3."""
    weights = torch.ones(())
    for size in patch:
        offset = (torch.arange(size) - (size - 1) / 2) / max(size * sigma, 1.0)
        weights = weights[..., None] * torch.exp(-0.5 * offset**2)
    return weights.clamp_min(1e-3)


def predict_pair(
    networks: Sequence[torch.nn.Module],
    image: np.ndarray,
    plan: Plan,
    device: torch.device,
    overlap: float = OVERLAP,
    point: Point = AS_IT_IS,
) -> np.ndarray:
    """Softmax of N networks, usually two, for an image (C, z, y, x) on the plan's grid: float16 (N, K, z, y, x).

    What is not `seen` is background, without a look. Models from elsewhere have their own windows, and give float32.
    point: the operating point.
    """
    return point.applied(_softmaxes(networks, image, plan, device, overlap))


@torch.inference_mode()
def _softmaxes(
    networks: Sequence[torch.nn.Module], image: np.ndarray, plan: Plan, device: torch.device, overlap: float
) -> np.ndarray:
    if plan.given is not None:
        return predict_given(networks, image, plan, device, overlap)
    visible = seen(image)
    if visible.all():
        return _windows(networks, image, visible, plan, device, overlap)
    result = _allocate((len(networks), plan.classes, *visible.shape))
    result[:, 1:] = 0
    result[:, 0] = 1
    if (box := bounding_box(visible, BORDER)) is not None:
        inside = _windows(networks, image[(slice(None), *box)], visible[box], plan, device, overlap)
        for whole, part in zip(result.reshape(-1, *visible.shape), inside.reshape(-1, *inside.shape[2:]), strict=True):
            np.copyto(whole[box], part, where=visible[box])
    return result


def shown_box(image: np.ndarray) -> tuple[slice, ...] | None:
    """Where windows lie in an image (C, z, y, x); None where nothing shows."""
    return bounding_box(seen(image), BORDER)


def seen(image: np.ndarray) -> np.ndarray:
    """Where an image (C, z, y, x) shows anything: mask (z, y, x), the whole of it where it has no empty space.

    Empty is what lies among voxels that all have the least value of each channel, such as air round a body in a CT,
    which is clipped to the least value that counts, or what was cut away round a brain. A hole with something on all
    six sides of it, such as air in a bowel, is looked at.
    """
    shows = np.zeros(image.shape[1:], bool)
    for channel in image:
        shows |= channel > channel.min()
    reach = triple([min(REACH, int(n) - 1) for n in image.shape[1:]])
    found: np.ndarray = dilate(shows, reach) | _enclosed(shows)
    return found


def _enclosed(shows: np.ndarray) -> np.ndarray:
    """Voxels (z, y, x) with something that shows before and after them along each axis."""
    inside = np.ones_like(shows)
    for axis in range(shows.ndim):
        inside &= np.logical_or.accumulate(shows, axis)
        inside &= np.flip(np.logical_or.accumulate(np.flip(shows, axis), axis), axis)
    return inside


def _windows(
    networks: Sequence[torch.nn.Module],
    image: np.ndarray,
    visible: np.ndarray,
    plan: Plan,
    device: torch.device,
    overlap: float,
) -> np.ndarray:
    shape = image.shape[1:]
    patch = window_size(shape, plan)
    missing = [max(p - n, 0) for p, n in zip(patch, shape, strict=True)]
    before = [m // 2 for m in missing]
    if any(missing):
        margins = [(b, m - b) for b, m in zip(before, missing, strict=True)]
        image = np.pad(image, [(0, 0), *margins], mode="edge")
        visible = np.pad(visible, margins, mode="edge")
    depth, height, width = image.shape[1:]
    rows, ys, xs = (window_starts(n, p, overlap) for n, p in zip((depth, height, width), patch, strict=True))
    result = _allocate((len(networks), plan.classes, depth, height, width))
    row_bytes = 4 * len(networks) * plan.classes * patch[0] * height * width
    home = device if row_bytes <= ON_DEVICE_BYTES and _has_room(device, 3 * row_bytes) else torch.device("cpu")
    total = torch.zeros((len(networks), plan.classes, patch[0], height, width), device=home)
    weight = torch.zeros((patch[0], height, width), device=home)
    importance = gaussian_weights(patch).to(home)
    group = WINDOWS_AT_ONCE.get(device.type, 1)
    for row, z in enumerate(rows):
        places = list(itertools.product(ys, xs))
        for first in range(0, len(places), group):
            chosen, windows = [], []
            for y, x in places[first : first + group]:
                window = image[:, z : z + patch[0], y : y + patch[1], x : x + patch[2]]
                weight[:, y : y + patch[1], x : x + patch[2]] += importance
                if not visible[z : z + patch[0], y : y + patch[1], x : x + patch[2]].any():
                    total[:, 0, :, y : y + patch[1], x : x + patch[2]] += importance
                else:
                    chosen.append((y, x))
                    windows.append(window)
            if not windows:
                continue
            inputs = torch.from_numpy(np.stack(windows).astype(np.float32)).to(device)
            for number, network in enumerate(networks):
                with autocast(device, plan.precision):
                    logits = network(inputs)
                softmax = logits.float().softmax(1).to(home)
                for index, (y, x) in enumerate(chosen):
                    part = total[number, :, :, y : y + patch[1], x : x + patch[2]]
                    part.addcmul_(softmax[index], importance)
        done = (rows[row + 1] if row + 1 < len(rows) else depth) - z
        result[:, :, z : z + done] = total[:, :, :done].div_(weight[:done]).half().cpu().numpy()
        total = torch.cat([total[:, :, done:], torch.zeros_like(total[:, :, :done])], dim=2)
        weight = torch.cat([weight[done:], torch.zeros_like(weight[:done])])
    inside = tuple(slice(b, b + n) for b, n in zip(before, shape, strict=True))
    return result[(slice(None), slice(None), *inside)]


def _has_room(device: torch.device, needed: int) -> bool:
    return device.type != "cuda" or needed <= free_gpu_bytes(device)


def _allocate(shape: tuple[int, ...]) -> np.ndarray:
    size = 2 * int(np.prod(shape, dtype=np.int64))
    if size <= IN_MEMORY_BYTES:
        return np.empty(shape, np.float16)
    return np.memmap(tempfile.TemporaryFile(), np.float16, "w+", shape=shape)
