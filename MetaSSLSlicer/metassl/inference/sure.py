"""Where a prediction says the same beyond doubt, as in most of a body and in all the air: nothing is computed there.

Two softmaxes, interpolated on the image's own grid, and the maps made of them cost many times the pass through the
networks, and of a large image most voxels are like all their neighbours. Only the others are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from metassl.data.given_grid import GivenGrid
from metassl.data.grid import GridTransform
from metassl.data.resample import two_taps

SURE = 0.999
"""Both networks say so of a class: the entropy is below 0.012 there, and is taken for 0."""

LEAST_ERROR = 0.01
"""Where P(error) is higher, the voxel is looked at whatever the networks say."""

DOUBT, MOST_DOUBTED = 255, 0.1
"""Of a slab: where more is doubted, it is faster to look at all of the box that holds it."""

SLAB_VOXELS, AT_ONCE = 8_000_000, 1_000_000

Places = tuple[np.ndarray, ...] | tuple[slice, ...] | None
Slab = tuple[slice, "np.ndarray | None", Places, tuple[torch.Tensor, ...]]


def sure_classes(volumes: Sequence[np.ndarray], thresholds: torch.Tensor) -> np.ndarray:
    """uint8 (z, y, x): the class of which both networks are sure, and confident by `thresholds`; DOUBT elsewhere.

    volumes: softmaxes (K, z, y, x) of both, and P(error) (1, z, y, x) where it is known.
    """
    first, second, *errors = volumes
    found = np.full(first.shape[1:], DOUBT, np.uint8)
    bounds = thresholds.reshape(-1, thresholds.shape[-1]).amax(0).clamp_min(SURE).tolist()
    for k, bound in enumerate(bounds):
        found[(first[k] > bound) & (second[k] > bound)] = k
    for error in errors:
        found[error[0] > LEAST_ERROR] = DOUBT
    return found


def mean_of_sure(chance: np.ndarray, sure: np.ndarray, classes: int) -> np.ndarray:
    """What a chance (z, y, x) comes to on average where each class is sure, float32 (K,): so that sums stay right."""
    means = [chance[sure == k].mean() if (sure == k).any() else 0.0 for k in range(classes)]
    return np.array(means, np.float32)


def restore_doubtful(
    volumes: Sequence[np.ndarray], transform: GridTransform | GivenGrid, sure: np.ndarray
) -> Iterator[Slab]:
    """Yield the volumes (K, z, y, x) on the image's own grid, where anything is to be looked at.

    Each item is (rows of the image, classes uint8 of its voxels or DOUBT, the places of the doubtful ones in it, the
    volumes there, float32 (K, 1, 1, N) or, where the places are a box, (K, z, y, x)); or (rows, None, None, the volumes
    of all of it, (K, rows, y, x)).
    """
    own = transform.geometry.shape_zyx
    if isinstance(transform, GivenGrid):  # its logits are interpolated
        yield from ((rows, None, None, parts) for rows, parts in transform.restore_slabs(*volumes))
        return
    on_image = transform.on_own_axes(sure)
    if any(grid > image for grid, image in zip(on_image.shape, own, strict=True)):  # averaged there, not interpolated
        yield from ((rows, None, None, parts) for rows, parts in transform.restore_slabs(*volumes))
        return
    taps = [two_taps(grid, image) for grid, image in zip(on_image.shape, own, strict=True)]
    together = np.concatenate([transform.on_own_axes(volume) for volume in volumes])
    together = np.ascontiguousarray(np.moveaxis(together, 0, -1))  # all channels of a voxel side by side
    sizes = [len(volume) for volume in volumes]
    step = max(1, SLAB_VOXELS // (own[1] * own[2]))
    for start in range(0, own[0], step):
        rows = slice(start, min(start + step, own[0]))
        classes = _interpolated(on_image, [tuple(each[rows] for each in taps[0]), *taps[1:]])
        places = np.nonzero(classes == DOUBT)
        if len(places[0]) > MOST_DOUBTED * classes.size:
            box = tuple(slice(int(each.min()), int(each.max()) + 1) for each in places)
            classes[box] = DOUBT
            parts = transform.restore_rows(rows.start, rows.stop, *volumes)
            yield rows, classes, box, tuple(part[(slice(None), *box)].contiguous() for part in parts)
            continue
        values = _at(together, (places[0] + start, *places[1:]), taps)
        parts = torch.from_numpy(values.T.copy())[:, None, None].split(sizes)
        yield rows, classes, places, parts


def _interpolated(classes: np.ndarray, taps: Sequence[tuple[np.ndarray, ...]]) -> np.ndarray:
    """The class that all voxels share between which one lies, DOUBT where they do not."""
    for axis, (low, high, weight) in enumerate(taps):
        lower, upper = (np.take(classes, np.where(weight > 0, each, low), axis) for each in (low, high))
        classes = np.where(lower == upper, lower, np.uint8(DOUBT))
    return classes


def _at(together: np.ndarray, places: Sequence[np.ndarray], taps: Sequence[tuple[np.ndarray, ...]]) -> np.ndarray:
    """Trilinear interpolation of (z, y, x, C) at places of the finer grid: float32 (N, C)."""
    flat = together.reshape(-1, together.shape[-1])
    result = np.zeros((len(places[0]), flat.shape[-1]), np.float32)
    for first in range(0, len(result), AT_ONCE):
        part = slice(first, first + AT_ONCE)
        count = len(result[part])
        for corner in range(8):
            index, share = np.zeros(count, np.int64), np.ones(count, np.float32)
            for axis, (low, high, weight) in enumerate(taps):
                place = places[axis][part]
                upper = corner >> axis & 1
                index = index * together.shape[axis] + (high if upper else low)[place]
                share = share * (weight if upper else 1 - weight)[place]
            result[part] += flat[index] * share[:, None]
    return result
