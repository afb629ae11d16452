"""Structures that are one piece: what a model finds of them elsewhere is taken off, and left in doubt.

Which ones, the annotations say. A piece that is small beside the largest one becomes what is next likely there, by so
little that the maps show it as doubtful: whoever knows better finds it in the list of places.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import SimpleITK as sitk

from metassl.imaging.images import IGNORE
from metassl.project.masks import bounding_box

LEAST_CASES = 5
LEAST_SHARE = 0.95
"""Of a structure, which its largest piece has to be in every annotation: some have loose voxels."""

SMALL = 0.25
"""Of the largest piece. A larger one is as likely the structure itself, which the model has found in two parts."""

BELOW = 0.9
"""Of the probability of what is next likely: of both networks, so that no rounding brings the piece back."""

LEAST_PROBABILITY = 1e-3


def pieces(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers (z, y, x) from 1, the largest first, of what touches by a face, an edge or a corner; the size of each."""
    found = sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype(np.uint8)), True)
    numbers = sitk.GetArrayFromImage(sitk.RelabelComponent(found, sortByObjectSize=True))
    return numbers, np.bincount(numbers.ravel())[1:]


def loose(mask: np.ndarray) -> np.ndarray:
    """Of a structure (z, y, x): its pieces that are small beside the largest."""
    result = np.zeros_like(mask)
    if (box := bounding_box(mask)) is not None:
        numbers, sizes = pieces(mask[box])
        result[box] = np.append(False, sizes < SMALL * sizes[0])[numbers]
    return result


def shown_classes(softmaxes: np.ndarray) -> np.ndarray:
    """(z, y, x): the class that the mean of softmaxes (N, K, z, y, x) says; slice by slice, for little memory."""
    return np.stack([softmaxes[:, :, z].astype(np.float32).mean(0).argmax(0) for z in range(softmaxes.shape[2])])


def in_one_piece(softmaxes: np.ndarray, classes: Sequence[int]) -> np.ndarray:
    """Take small pieces of these classes off, in the place of softmaxes (N, K, z, y, x), which are returned."""
    if not classes:
        return softmaxes
    shown = shown_classes(softmaxes)
    for k in classes:
        z, y, x = np.nonzero(loose(shown == k))
        if len(z):
            softmaxes[:, :, z, y, x] = _without(softmaxes[:, :, z, y, x].astype(np.float32), k)
    return softmaxes


def _without(softmaxes: np.ndarray, k: int) -> np.ndarray:
    """softmaxes (N, K, n) in which class k is less likely than what is most likely of the others, in every network."""
    mean = softmaxes.mean(0)
    mean[k] = -1.0
    other = mean.argmax(0)
    at = np.arange(softmaxes.shape[2])
    for softmax in softmaxes:
        softmax[other, at] = np.maximum(softmax[other, at], LEAST_PROBABILITY)
        softmax[k] = np.minimum(softmax[k], BELOW * softmax[other, at])
    result: np.ndarray = softmaxes / softmaxes.sum(1, keepdims=True)
    return result


def classes_in_one_piece(annotations: Iterable[tuple[np.ndarray, Sequence[int]]], classes: int) -> dict[int, int]:
    """{class: in how many annotations}: nearly all one piece in each that shows it, and these are LEAST_CASES or more.

    annotations: class numbers (z, y, x), IGNORE where nobody knows, and the classes that it says nothing about. One
    that does not know everything says nothing about pieces.
    """
    shown = dict.fromkeys(range(1, classes), 0)
    for label, missing in annotations:
        if (label == IGNORE).any():
            continue
        for k in [k for k in shown if k not in missing]:
            _, sizes = pieces(label == k)
            if len(sizes) and sizes[0] < LEAST_SHARE * sizes.sum():
                del shown[k]
            else:
                shown[k] += bool(len(sizes))
    return {k: number for k, number in shown.items() if number >= LEAST_CASES}
