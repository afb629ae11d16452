"""Intervals over cases: the cases are drawn again, with replacement, and the figure recomputed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

LEVEL = 95.0
RESAMPLES = 2000
_CHUNK = 200

Interval = tuple[float, float]


def bootstrap_interval(values: np.ndarray, seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """The 95 % percentile interval of the mean of `values` over cases.

    `values`: (cases,), or (cases, classes) for the mean over classes of each class's mean. NaN is
    left out. (NaN, NaN) with fewer than two cases that have a value.
    """
    table = np.asarray(values, float)
    table = table[:, None] if table.ndim == 1 else table
    table = table[~np.isnan(table).all(axis=1)]
    known = ~np.isnan(table)
    filled = np.where(known, table, 0.0)

    def means(draws: np.ndarray) -> np.ndarray:
        return nan_mean(_ratio(draws @ filled, draws @ known))

    return _interval(means, len(table), seed, resamples)


def bootstrap_ratio(
    numerators: np.ndarray, denominators: np.ndarray, seed: int = 0, resamples: int = RESAMPLES
) -> Interval:
    """The 95 % interval of sum(numerators) / sum(denominators), one of each per case."""
    top, bottom = np.asarray(numerators, float), np.asarray(denominators, float)
    return _interval(lambda draws: _ratio(draws @ top, draws @ bottom), len(top), seed, resamples)


def bootstrap_pooled(
    tables: np.ndarray,
    statistic: Callable[[np.ndarray], float],
    seed: int = 0,
    resamples: int = RESAMPLES // 10,
) -> Interval:
    """The 95 % interval of statistic(sum of the tables over cases); `tables` is (cases, ...)."""
    shape = np.shape(tables)[1:]
    flat = np.asarray(tables, float).reshape(len(tables), math.prod(shape))

    def each(draws: np.ndarray) -> np.ndarray:
        return np.array([statistic(pooled.reshape(shape)) for pooled in draws @ flat])

    return _interval(each, len(flat), seed, resamples)


def nan_mean(rows: np.ndarray) -> np.ndarray:
    """The mean along the last axis without NaN, and NaN (no warning) where nothing is left."""
    known = ~np.isnan(rows)
    return _ratio(np.where(known, rows, 0.0).sum(axis=-1), known.sum(axis=-1))


def _interval(statistic: Callable[[np.ndarray], np.ndarray], cases: int, seed: int, resamples: int) -> Interval:
    if cases < 2:
        return float("nan"), float("nan")
    found = np.concatenate([statistic(draws) for draws in _draws(cases, seed, resamples)])
    found = found[~np.isnan(found)]
    if not found.size:
        return float("nan"), float("nan")
    low, high = np.percentile(found, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return float(low), float(high)


def _draws(cases: int, seed: int, resamples: int) -> Iterator[np.ndarray]:
    """How often each case is drawn, (resamples, cases), in pieces that fit into memory."""
    generator = np.random.default_rng(seed)
    for first in range(0, resamples, _CHUNK):
        count = min(_CHUNK, resamples - first)
        yield generator.multinomial(cases, np.full(cases, 1.0 / cases), size=count).astype(float)


def _ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(bottom > 0, np.asarray(top, float) / bottom, np.nan)
