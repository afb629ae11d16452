"""The Dice of a case that nobody has annotated, predicted from cases where it was measured.

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

LEAST_CASES = 5
LEVEL = 0.9
_LEAST_SPREAD = 1e-3


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
