"""Does the predicted Dice follow the true one? Rank correlation, error, and how often the interval holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from metassl.project.records import PredictedDice

from .bootstrap import LEVEL

LEAST_CASES = 3
_RESAMPLES = 1000

Pair = tuple[PredictedDice, float]
"""Of a case, and its true mean Dice."""


def dice_agreement(pairs: Sequence[Pair]) -> dict[str, Any] | None:
    """{"cases", "spearman", "spearman_interval" (95 %), "mean_error" (absolute), "coverage", "level"}.

    coverage: the share of cases whose true Dice lies in the predicted interval, which claims `level`. None with fewer
    than 3 cases that have both.
    """
    known = [(predicted, true) for predicted, true in pairs if not math.isnan(true)]
    if len(known) < LEAST_CASES:
        return None
    predicted = np.array([each.mean for each, _ in known], float)
    true = np.array([value for _, value in known], float)
    low, high = np.array([each.interval for each, _ in known], float).T
    return {
        "cases": len(known),
        "spearman": spearman(predicted, true),
        "spearman_interval": _interval(predicted, true),
        "mean_error": float(np.abs(predicted - true).mean()),
        "coverage": float(((low <= true) & (true <= high)).mean()),
        "level": float(np.mean([math.nan if each.level is None else each.level for each, _ in known])),
    }


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """The rank correlation, ties at their mean rank; NaN when one of the two does not vary."""
    x, y = _ranks(np.asarray(a, float)), _ranks(np.asarray(b, float))
    x, y = x - x.mean(), y - y.mean()
    size = math.sqrt(float((x * x).sum() * (y * y).sum()))
    return float((x * y).sum() / size) if size else math.nan


def _ranks(values: np.ndarray) -> np.ndarray:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[places]


def _interval(predicted: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    draws = np.random.default_rng(0).integers(len(true), size=(_RESAMPLES, len(true)))
    found = np.array([spearman(predicted[draw], true[draw]) for draw in draws])
    found = found[~np.isnan(found)]
    if not found.size:
        return math.nan, math.nan
    low, high = np.percentile(found, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return float(low), float(high)
