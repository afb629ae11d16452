"""The Dice of a case that nobody has annotated, predicted from cases where it was measured; and how well it is.

Per class, Dice is a straight line in figures of the prediction, with slopes common to all classes: ridge regression
towards a prior, so that few cases give little more than a shift.

- Where P(error) was learnt: `expected`, the Dice of all structures together that P(error) lets expect.
- Elsewhere: `stability`, the Dice between what has more than 70 % and what has more than 30 % of the mean probability,
  and `agreement`, the Dice between the two networks. Among some 25 figures of the softmaxes (entropy, shape, contrast)
  these two followed the true Dice best, and over models of four kinds none added to them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metassl.project.records import Estimate, Features, PredictedDice

from . import bootstrap

LEAST_CASES = 5
LEVEL = 0.9
_LEAST_SPREAD = 1e-3
LEAST_PAIRS = 3
_RESAMPLES = 1000

Pair = tuple[PredictedDice, float]
"""Of a case, and its true mean Dice."""


@dataclass(frozen=True)
class Recipe:
    """The figures that Dice is a line in; their slopes are drawn to `prior` as strongly as `ridge` cases would."""

    figures: tuple[str, ...]
    prior: tuple[float, ...]
    ridge: float


OF_THE_PAIR = Recipe(("stability", "agreement"), (1.0, 0.0), 10.0)
OF_P_ERROR = Recipe(("expected",), (1.0,), 100.0)


@dataclass(frozen=True)
class MeasuredCase:
    """A case with an annotation: per class the figures of its prediction, and its true Dice (None: not defined).

    features_as_new: the same figures where nothing was fitted on this case, None where nothing was anyway.
    """

    features: Features
    dice: Mapping[str, float | None]
    features_as_new: Features | None = None


def fit_dice_model(cases: Sequence[MeasuredCase], recipe: Recipe = OF_THE_PAIR) -> dict[str, Any] | None:
    """The model as a JSON object for `predict_dice`; None with fewer than 5 cases of any class.

    "interval": half widths that hold the residuals of the cases, each left out in turn and taken as new, at "level":
    90 %, or n / (n + 1) with n < 9 cases (the conformal quantile).
    """
    fitted = _fit(cases, recipe, LEAST_CASES)
    if fitted is None:
        return None
    means: list[float] = []
    classes: dict[str, list[float]] = {name: [] for name in fitted["classes"]}
    for place, case in enumerate(cases):
        others = _fit([*cases[:place], *cases[place + 1 :]], recipe, 2)
        residuals = {}
        for name, value in _predicted(others, case.features_as_new or case.features).items() if others else ():
            true = case.dice.get(name)
            if name in classes and true is not None:
                residuals[name] = value - true
                classes[name].append(abs(residuals[name]))
        if residuals:
            means.append(abs(float(np.mean(list(residuals.values())))))
    interval = {"mean": _quantile(means), "classes": {name: _quantile(gaps) for name, gaps in classes.items()}}
    return {**fitted, "cases": len(means), "level": _level(len(means)), "interval": interval}


def predict_dice(model: Mapping[str, Any], features: Features) -> PredictedDice | None:
    """None without any class."""
    values = _predicted(model, features)
    if not values:
        return None
    width = model["interval"]
    whole = _within(float(np.mean(list(values.values()))), width["mean"])
    classes = {name: _within(value, width["classes"][name]) for name, value in values.items()}
    return PredictedDice(whole.mean, whole.interval, model["level"], classes)


def dice_agreement(pairs: Sequence[Pair]) -> dict[str, Any] | None:
    """{"cases", "spearman", "spearman_interval" (95 %), "mean_error" (absolute), "coverage", "level"}.

    coverage: the share of cases whose true Dice lies in the predicted interval, which claims `level`. None with fewer
    than 3 cases that have both.
    """
    known = [(predicted, true) for predicted, true in pairs if not math.isnan(true)]
    if len(known) < LEAST_PAIRS:
        return None
    predicted = np.array([each.mean for each, _ in known], float)
    true = np.array([value for _, value in known], float)
    low, high = np.array([each.interval for each, _ in known], float).T
    return {
        "cases": len(known),
        "spearman": spearman(predicted, true),
        "spearman_interval": _spearman_interval(predicted, true),
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


def _fit(cases: Sequence[MeasuredCase], recipe: Recipe, least: int) -> dict[str, Any] | None:
    rows: dict[str, list[tuple[float, ...]]] = {}
    for case in cases:
        for name, figures in case.features.items():
            row = [*(figures.get(key) for key in recipe.figures), case.dice.get(name)]
            known = tuple(value for value in row if value is not None)
            if len(known) == len(row):
                rows.setdefault(name, []).append(known)
    tables = {name: np.array(each, float) for name, each in rows.items() if len(each) >= least}
    if not tables:
        return None
    centred = np.concatenate([table - table.mean(axis=0) for table in tables.values()])
    x, y, prior = centred[:, :-1], centred[:, -1], np.array(recipe.prior)
    penalty = recipe.ridge * np.maximum(x.std(axis=0), _LEAST_SPREAD) ** 2
    slopes = prior + np.linalg.solve(x.T @ x + np.diag(penalty), x.T @ (y - x @ prior))
    return {
        "slopes": dict(zip(recipe.figures, slopes.tolist(), strict=True)),
        "classes": {
            name: dict(zip((*recipe.figures, "dice"), table.mean(axis=0).tolist(), strict=True))
            for name, table in tables.items()
        },
    }


def _predicted(model: Mapping[str, Any], features: Features) -> dict[str, float]:
    found = {}
    for name, centre in model["classes"].items():
        figures = features.get(name) or {}
        if any(figures.get(key) is None for key in model["slopes"]):
            continue
        moved = sum(slope * (figures[key] - centre[key]) for key, slope in model["slopes"].items())
        found[name] = min(max(centre["dice"] + moved, 0.0), 1.0)
    return found


def _within(value: float, width: float) -> Estimate:
    return Estimate(value, (max(value - width, 0.0), min(value + width, 1.0)))


def _level(cases: int) -> float:
    return min(LEVEL, cases / (cases + 1))


def _quantile(gaps: Sequence[float]) -> float:
    if not gaps:
        return 1.0
    place = min(math.ceil(LEVEL * (len(gaps) + 1)), len(gaps))
    return float(np.sort(gaps)[place - 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[places]


def _spearman_interval(predicted: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    draws = np.random.default_rng(0).integers(len(true), size=(_RESAMPLES, len(true)))
    found = np.array([spearman(predicted[draw], true[draw]) for draw in draws])
    found = found[~np.isnan(found)]
    if not found.size:
        return math.nan, math.nan
    low, high = np.percentile(found, [(100 - bootstrap.LEVEL) / 2, (100 + bootstrap.LEVEL) / 2])
    return float(low), float(high)
