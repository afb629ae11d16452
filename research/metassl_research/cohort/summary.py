"""From the plays to figures of each arm: over its seeds, each array (S,)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from metassl.files.errors import MetaSSLError

from metassl_research.cohort.arms import DRAW
from metassl_research.cohort.costs import KINDS


@dataclass(frozen=True)
class Figures:
    """minutes: of a person, by kind. drawing: share of what drawing all of it takes, where that was played.

    Of the final labels of all cases: means of Dice and surface Dice, the lowest of each, and how many cases have an
    error deeper than the tolerance. course: (S, cases) minutes until so many are finished.
    """

    arm: str
    seeds: tuple[int, ...]
    minutes: Mapping[str, np.ndarray]
    drawing: np.ndarray
    dice: np.ndarray
    surface_dice: np.ndarray
    worst_dice: np.ndarray
    worst_surface_dice: np.ndarray
    deep: np.ndarray
    unseen: np.ndarray
    corrected: np.ndarray
    machine_minutes: np.ndarray
    course: np.ndarray

    @property
    def total(self) -> np.ndarray:
        """Minutes of all kinds (S,)."""
        total: np.ndarray = np.sum([*self.minutes.values()], axis=0)
        return total


def figures(content: dict[str, Any]) -> list[Figures]:
    """Of each arm that was played, in the order of the settings; MetaSSLError when none was."""
    plays: dict[str, list[dict[str, Any]]] = {}
    for play in sorted(content["plays"], key=lambda each: each["seed"]):
        plays.setdefault(play["arm"], []).append(play)
    if not plays:
        raise MetaSSLError("no play of this simulation is finished yet: run it again without --table to go on")
    tolerance = content["settings"]["tolerance"]
    drawn = plays.get(DRAW)
    reference = None if drawn is None else float(np.mean([_minutes(play).sum() for play in drawn]))
    return [_figures(arm, plays[arm], tolerance, reference) for arm in content["settings"]["arms"] if arm in plays]


def _figures(arm: str, plays: Sequence[dict[str, Any]], tolerance: float, reference: float | None) -> Figures:
    final = [[case for case in play["cases"] if "dice" in case] for play in plays]

    def of(value: Callable[[Sequence[dict[str, Any]]], float]) -> np.ndarray:
        return np.array([value(cases) for cases in final], float)

    def known(name: str, cases: Sequence[dict[str, Any]]) -> list[float]:
        return [case[name] for case in cases if case[name] is not None]

    minutes = np.array([_minutes(play) for play in plays])
    total = minutes.sum(axis=1)
    return Figures(
        arm=arm,
        seeds=tuple(play["seed"] for play in plays),
        minutes=dict(zip(KINDS, minutes.T, strict=True)),
        drawing=total / reference if reference else np.full(len(plays), np.nan),
        dice=of(lambda cases: float(np.mean(known("dice", cases)))),
        surface_dice=of(lambda cases: float(np.mean(known("surface_dice", cases)))),
        worst_dice=of(lambda cases: min(known("dice", cases))),
        worst_surface_dice=of(lambda cases: min(known("surface_dice", cases))),
        deep=of(lambda cases: sum(case["deepest_mm"] is None or case["deepest_mm"] > tolerance for case in cases)),
        unseen=of(lambda cases: sum(case["how"] == "unseen" for case in cases)),
        corrected=of(lambda cases: sum(case["how"] == "corrected" for case in cases)),
        machine_minutes=np.array([play["machine_seconds"] / 60 for play in plays]),
        course=np.array([_course(play) for play in plays]),
    )


def _minutes(play: dict[str, Any]) -> np.ndarray:
    """By kind (4,)."""
    return np.array([sum(case["seconds"][kind] for case in play["cases"]) / 60 for kind in KINDS])


def _course(play: dict[str, Any]) -> list[float]:
    """Minutes until the first, the second ... case has its final label."""
    spent, course = 0.0, []
    for case in play["cases"]:
        spent += sum(case["seconds"].values()) / 60
        if "dice" in case:
            course.append(spent)
    return course
