"""From the points of a simulation to learning curves, their areas, and the labels that a Dice takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from metassl.files.errors import MetaSSLError

REFERENCES = ("random", "foreground_random")
"""Whose Dice at the end the others have to reach."""


@dataclass(frozen=True)
class Reached:
    """labels: on the mean curve, interpolated; None when it is never reached. ratio: to the reference's own.

    seeds: how many of the seeds reach it for themselves.
    """

    dice: float
    labels: float | None
    ratio: float | None
    seeds: int


@dataclass(frozen=True)
class Curve:
    """One strategy over S seeds and R + 1 trainings. labels (R + 1,); minutes, dice (S, R + 1).

    area_labels, area_minutes (S,): mean Dice over the axis, from the start to the end, or to the shortest end of all
    strategies; NaN where the axis has no length. reached: by the name of the reference.
    """

    strategy: str
    labels: np.ndarray
    minutes: np.ndarray
    dice: np.ndarray
    area_labels: np.ndarray
    area_minutes: np.ndarray
    reached: dict[str, Reached]


def curves(content: dict[str, Any]) -> tuple[list[Curve], list[int]]:
    """The curve of each strategy, and the seeds behind them: those that all strategies have finished.

    Raises MetaSSLError when there is none yet.
    """
    names, rounds = content["settings"]["strategies"], content["settings"]["rounds"]
    seeds = [each for each in content["seeds"] if _is_complete(each, names, rounds)]
    if not seeds:
        raise MetaSSLError("no seed of this simulation is finished yet: run it again without --table to go on")
    played = {name: [[each["first"], *each["strategies"][name][:rounds]] for each in seeds] for name in names}
    labels = np.array([point["labels"] for point in played[names[0]][0]], float)
    minutes = {name: _table(points, lambda point: point["minutes"]) for name, points in played.items()}
    dice = {name: _table(points, _mean_dice) for name, points in played.items()}
    ends = np.min([each[:, -1] for each in minutes.values()], axis=0)
    found = []
    for name in names:
        by_labels = np.array([area(labels, row, labels[-1]) for row in dice[name]])
        rows = zip(minutes[name], dice[name], ends, strict=True)
        by_minutes = np.array([area(x, y, end) for x, y, end in rows])
        reached = {ref: _reached(labels, dice[name], dice[ref]) for ref in REFERENCES if ref in names}
        found.append(Curve(name, labels, minutes[name], dice[name], by_labels, by_minutes, reached))
    return found, [each["seed"] for each in seeds]


def area(x: np.ndarray, y: np.ndarray, end: float) -> float:
    """The mean of the line through (x, y) between x[0] and `end`; NaN when there is nothing between."""
    if end <= x[0]:
        return float("nan")
    inside = x < end
    xs = np.append(x[inside], end)
    ys = np.append(y[inside], np.interp(end, x, y))
    return float(np.trapezoid(ys, xs) / (end - x[0]))


def first_reach(x: np.ndarray, y: np.ndarray, level: float) -> float | None:
    """Where the line through (x, y) first comes up to `level`; None when it never does."""
    places = np.flatnonzero(y >= level)
    if not places.size:
        return None
    after = int(places[0])
    if after == 0:
        return float(x[0])
    share = (level - y[after - 1]) / (y[after] - y[after - 1])
    return float(x[after - 1] + share * (x[after] - x[after - 1]))


def _reached(labels: np.ndarray, own: np.ndarray, reference: np.ndarray) -> Reached:
    level = float(reference.mean(axis=0)[-1])
    needed = first_reach(labels, own.mean(axis=0), level)
    by_reference = first_reach(labels, reference.mean(axis=0), level)
    ratio = None if needed is None or by_reference is None else needed / by_reference
    return Reached(level, needed, ratio, sum(first_reach(labels, row, level) is not None for row in own))


def _is_complete(seed: dict[str, Any], names: Sequence[str], rounds: int) -> bool:
    return seed["first"] is not None and all(len(seed["strategies"].get(name, [])) >= rounds for name in names)


def _mean_dice(point: dict[str, Any]) -> float:
    mean = point["dice"]["mean"]
    return 0.0 if mean is None else mean


def _table(points: Sequence[Sequence[dict[str, Any]]], value: Callable[[dict[str, Any]], Any]) -> np.ndarray:
    return np.array([[value(point) for point in row] for row in points], float)
