"""Reviewing slice by slice: which are worth it, which are done, and a label made of those that were looked at."""

from __future__ import annotations

from collections.abc import Container, Iterable

import numpy as np

from metassl.files.errors import LabelError
from metassl.imaging.images import IGNORE

from .expected import Effort

WORTH = 0.3
"""A slice that holds a deep error with at least this chance is worth a look."""


def worthwhile_slices(effort: Effort, done: Container[int] = ()) -> list[int]:
    """The slices that are worth correcting and not done, the most costly first; numbers count from 0."""
    chances = effort.wrong
    chosen = [each for each, chance in enumerate(chances) if chance >= WORTH and each not in done]
    return sorted(chosen, key=lambda each: (-effort.voxels[each], each))


def done_slices(label: np.ndarray, axis: int) -> list[int]:
    """The slices across an axis of an annotation, uint8 (z, y, x), that are annotated as a whole."""
    known = np.moveaxis(label, axis, 0) != IGNORE
    return [int(each) for each in np.flatnonzero(known.all(axis=(1, 2)))]


def changed_slices(array: np.ndarray, before: np.ndarray, axis: int) -> list[int]:
    """The slices across an axis in which two arrays (z, y, x) differ."""
    differ = np.moveaxis(array, axis, 0) != np.moveaxis(before, axis, 0)
    return [int(each) for each in np.flatnonzero(differ.any(axis=(1, 2)))]


def as_known(former: np.ndarray | None, prediction: np.ndarray) -> np.ndarray:
    """The prediction, uint8 (z, y, x), with the former annotation where that says anything."""
    return prediction if former is None else np.where(former == IGNORE, prediction, former)


def with_slices(array: np.ndarray, former: np.ndarray | None, axis: int, slices: Iterable[int]) -> np.ndarray:
    """The former annotation, uint8 (z, y, x), with these slices of `array`; without one, all else is 255.

    What is 255 in `array` stays as it was. LabelError for a slice that there is not.
    """
    made = np.full_like(array, IGNORE) if former is None else former.copy()
    into, from_ = np.moveaxis(made, axis, 0), np.moveaxis(array, axis, 0)
    for each in slices:
        if not 0 <= each < len(into):
            raise LabelError(f"there is no slice {each}: they are numbered from 0 to {len(into) - 1}")
        into[each] = np.where(from_[each] == IGNORE, into[each], from_[each])
    return made
