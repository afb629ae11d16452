"""The loop that is simulated: train, measure, rank the pool, label what comes first, train again.

Per seed all strategies share the cases that are labelled at the start and the first training. A point is a training:
its labels, what they cost, its Dice on the test cases. The seed is the outermost loop, so that the results are complete
after each of them. Every point is written when it is there; a finished training is found again by its key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from metassl.evaluation.bootstrap import nan_mean
from metassl.evaluation.region_errors import RegionErrors
from metassl.inference.predictor import CasePrediction, summarise
from metassl.project.rounds import Round
from metassl.project.structures import LabelDefinition
from metassl.project.words import duration
from metassl.selection.base import Scored, get_strategy
from metassl.selection.candidate import Candidate
from metassl.selection.context import Context, read_labelled

from metassl_research.simulation.annotator import Annotator
from metassl_research.simulation.results import Results
from metassl_research.simulation.settings import Settings

Point = dict[str, Any]


class Learner(Protocol):
    """What trains and predicts: a project of which every label is known (`evaluation.experiment`)."""

    @property
    def train_order(self) -> list[str]: ...

    @property
    def test(self) -> list[str]: ...

    @property
    def labels(self) -> list[LabelDefinition]: ...

    def train(self, key: str, labelled: Sequence[str], seed: int, parent: Round | None) -> Round: ...

    def round(self, number: int | None) -> Round | None: ...

    def predictions(self, found: Round, cases: Iterable[str]) -> Iterator[tuple[str, CasePrediction]]: ...


class Simulation:
    """say(text): a line for people about every step."""

    def __init__(
        self,
        learner: Learner,
        annotator: Annotator,
        settings: Settings,
        results: Results,
        say: Callable[[str], object] = lambda text: None,
    ) -> None:
        self._learner, self._annotator, self._settings = learner, annotator, settings
        self._results, self._say = results, say

    def run(self) -> None:
        for number in range(self._settings.seeds):
            entry = self._results.seed(number)
            if not entry["order"]:
                generator = np.random.default_rng([number, len(self._learner.train_order)])
                entry["order"] = generator.permutation(self._learner.train_order).tolist()
            if entry["first"] is None:
                entry["first"] = self._first(number, entry["order"][: self._settings.labelled])
                self._results.save()
            for strategy in self._settings.strategies:
                self._play(number, entry, strategy)

    def left(self) -> int:
        """How many trainings are not in the results yet."""
        played = 0
        for number in range(self._settings.seeds):
            entry = self._results.seed(number)
            known = [entry["strategies"].get(strategy, []) for strategy in self._settings.strategies]
            played += (entry["first"] is not None) + sum(min(len(points), self._settings.rounds) for points in known)
        return self._settings.seeds * (1 + len(self._settings.strategies) * self._settings.rounds) - played

    def _first(self, seed: int, labelled: list[str]) -> Point:
        minutes = [self._annotator.minutes_from_scratch(case) for case in labelled]
        chosen = [
            {"case": case, "reason": "drawn at the start", "wrong_voxels": None, "minutes": spent}
            for case, spent in zip(labelled, minutes, strict=True)
        ]
        return self._point(seed, f"seed {seed}, start", labelled, None, chosen, sum(minutes), RegionErrors())

    def _play(self, seed: int, entry: dict[str, Any], strategy: str) -> None:
        points = entry["strategies"].setdefault(strategy, [])
        while len(points) < self._settings.rounds:
            number = len(points) + 1
            before = points[-1] if points else entry["first"]
            found = self._trained(seed, before)
            pool = self._pool(entry["order"], before["labelled"])
            chosen, regions = self._annotate(found, pool, strategy, number, seed, before)
            labelled = before["labelled"] + [each["case"] for each in chosen]
            minutes = before["minutes"] + sum(each["minutes"] for each in chosen)
            key = f"seed {seed}, {strategy} {number}"
            points.append(self._point(seed, key, labelled, found, chosen, minutes, regions))
            self._results.save()

    def _pool(self, order: list[str], labelled: list[str]) -> list[str]:
        first = self._settings.labelled
        last = None if self._settings.pool is None else first + self._settings.pool
        return sorted(set(order[first:last]) - set(labelled))

    def _annotate(
        self, found: Round, pool: list[str], strategy: str, number: int, seed: int, before: Point
    ) -> tuple[list[dict[str, Any]], RegionErrors]:
        """Rank the pool, correct what comes first; the error rates are those of the corrections before."""
        regions = RegionErrors()
        regions.counts += np.array(before["regions"])
        rates = {name: row["error_rate"] for name, row in regions.table().items()}
        known = any(rate is not None for rate in rates.values())
        context = Context(number, seed, read_labelled(found), rates if known else None)
        ranked = self._ranked(found, pool, strategy, context)[: self._settings.per_round]
        predictions = self._learner.predictions(found, [each.case for each in ranked])
        chosen = []
        for each, (case, prediction) in zip(ranked, predictions, strict=True):
            correction = self._annotator.correct(case, prediction)
            regions.counts += correction.regions.counts
            chosen.append(
                {
                    "case": each.case,
                    "reason": each.reason,
                    "wrong_voxels": correction.wrong_voxels,
                    "minutes": correction.minutes,
                }
            )
        return chosen, regions

    def _ranked(self, found: Round, pool: list[str], strategy: str, context: Context) -> list[Scored]:
        chosen = get_strategy(strategy)
        if not chosen.needs:  # it looks at no prediction
            return chosen.order([Candidate(case) for case in pool], context)
        labels = self._learner.labels
        candidates = [
            Candidate(case, summarise(prediction, case, found.number, labels, None, 0))
            for case, prediction in self._learner.predictions(found, pool)
        ]
        return chosen.order(candidates, context)

    def _point(
        self,
        seed: int,
        key: str,
        labelled: list[str],
        parent: Round | None,
        chosen: list[dict[str, Any]],
        minutes: float,
        regions: RegionErrors,
    ) -> Point:
        parent = None if self._settings.fresh else parent
        found = self._learner.train(key, labelled, seed, parent)
        dice = self._dice(found)
        spent = duration(60 * minutes)
        self._say(f"{key}: {len(labelled)} labels, {spent} of annotation, Dice {dice['mean'] or 0.0:.3f}")
        return {
            "key": key,
            "round": found.number,
            "parent": None if parent is None else parent.number,
            "labels": len(labelled),
            "labelled": labelled,
            "chosen": chosen,
            "minutes": minutes,
            "regions": regions.counts.tolist(),
            "dice": dice,
        }

    def _trained(self, seed: int, point: Point) -> Round:
        """The round of a point that was made before."""
        return self._learner.train(point["key"], point["labelled"], seed, self._learner.round(point["parent"]))

    def _dice(self, found: Round) -> dict[str, Any]:
        rows = [
            list(self._annotator.dice(case, prediction).values())
            for case, prediction in self._learner.predictions(found, self._learner.test)
        ]
        means = nan_mean(np.array(rows, float).T)
        names = [each.name for each in self._learner.labels]
        per_class = {name: _number(mean) for name, mean in zip(names, means, strict=True)}
        return {"mean": _number(float(nan_mean(means))), "per_class": per_class}


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
