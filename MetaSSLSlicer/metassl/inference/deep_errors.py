"""How likely each voxel is wrong by more than a tolerance, from the probabilities of the pair: nothing is learnt here.

As if the truth were one of the level sets of a structure's mean probability, any level as likely as any other:

- a voxel outside a predicted structure, farther than the tolerance from it, is missing with the probability p there;
- one inside is too much with 1 - max p within the tolerance of it: the truth then has nothing so near.

Networks are surer than they are right, and not everywhere alike: to this comes a small share of the plain uncertainty.
What it all adds up to is measured, see `evaluation.effort_model`. On hippocampi it put cases in the order of their deep
errors better than a perceptron that had learnt these errors on 13 cases (Testing/benchmarks/effort.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from metassl.inference.error_model import CERTAIN
from metassl.project.masks import bounding_box

LEAST = 0.05
"""A probability far from all that is predicted counts from here on: below is noise, and there is much of it."""

PLAIN = 0.05
"""The share of the plain uncertainty, 1 - the highest probability."""


def expected_deep_errors(pair: np.ndarray, spacing_zyx: Sequence[float], tolerance_mm: float) -> np.ndarray:
    """float32 (z, y, x) within 0..1, for softmaxes (2, K, z, y, x) of the pair on a grid of this spacing in mm."""
    shape = pair.shape[2:]
    shown, result = np.zeros(shape, np.uint8), np.zeros(shape, np.float32)
    inside = np.zeros(shape, bool)
    for z in range(shape[0]):  # one slice after the other: little memory
        mean = _mean(pair[:, :, z])
        shown[z] = mean.argmax(0)
        result[z] = PLAIN * (1 - mean.max(0))
        inside[z] = 1 - mean[0] > CERTAIN
    steps = _ball(spacing_zyx, tolerance_mm)
    margin = int(np.abs(steps).max()) + 1
    if (box := bounding_box(inside, margin)) is None:
        return np.clip(result, 0, 1)
    for k in range(1, pair.shape[1]):
        probability = _bytes_of(pair[:, k][(slice(None), *box)])
        own = shown[box] == k
        part = bounding_box(own | (probability > 255 * LEAST), margin)
        if part is not None:
            probability, own = probability[part], own[part]
            highest = _most_within(probability, steps)
            near = _most_within(own.view(np.uint8), steps).view(bool)
            missing = np.where(~near & (probability > 255 * LEAST), probability, np.uint8(0))
            result[box][part] += np.where(own, 255 - highest, missing) / np.float32(255)
    np.clip(result, 0, 1, out=result)
    return result


def _mean(pair: np.ndarray) -> np.ndarray:
    mean: np.ndarray = pair.astype(np.float32).mean(0)
    return mean


def _bytes_of(pair: np.ndarray) -> np.ndarray:
    """The mean (z, y, x) of (2, z, y, x) in 1/255."""
    coded = np.empty(pair.shape[1:], np.uint8)
    for z in range(len(coded)):
        coded[z] = np.rint(np.clip(_mean(pair[:, z]), 0, 1) * 255)
    return coded


def _ball(spacing_zyx: Sequence[float], radius_mm: float) -> np.ndarray:
    """All steps in voxels (n, 3) (z, y, x) that are no longer than the radius."""
    reach = [int(radius_mm / step + 1e-6) for step in spacing_zyx]
    steps = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    length = np.linalg.norm(steps * np.asarray(spacing_zyx), axis=1)
    chosen: np.ndarray = steps[length <= radius_mm + 1e-6]
    return chosen


def _most_within(array: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """The highest value of all voxels that are one of the steps away."""
    most = array.copy()
    for step in steps:
        to, from_ = zip(*_shifted(step), strict=True)
        np.maximum(most[to], array[from_], out=most[to])
    return most


def _shifted(step: np.ndarray) -> Iterator[tuple[slice, slice]]:
    for n in step.tolist():
        yield slice(max(-n, 0), -n if n > 0 else None), slice(max(n, 0), n if n < 0 else None)
