"""All plays of a simulation, one after the other, each kept when it is there."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from metassl.intake.create import structures_for
from metassl.project.words import duration

from metassl_research.cohort.arms import Arm
from metassl_research.cohort.data import Cohort
from metassl_research.cohort.oracle import Oracle
from metassl_research.cohort.play import Play
from metassl_research.cohort.results import Results
from metassl_research.cohort.settings import Settings
from metassl_research.resumable import Report, Resumable


@dataclass(frozen=True)
class Run:
    arm: str
    seed: int

    @property
    def key(self) -> str:
        return f"seed {self.seed}, {self.arm}"


class Plays(Resumable[Run]):
    """In `work`, a folder for each seed and in it one for each arm."""

    def __init__(
        self,
        work: Path,
        cohort: Cohort,
        settings: Settings,
        results: Results,
        report: Report,
        say: Callable[[str], object] = lambda text: None,
    ) -> None:
        super().__init__(report)
        self._work, self._cohort, self._settings, self._results, self._say = work, cohort, settings, results, say
        values = [label.value for label in structures_for(cohort.found, None)]
        self._oracle = Oracle(cohort.truth, values, settings.costs, settings.tolerance, settings.seen)

    def planned(self) -> list[Run]:
        """Seed by seed: stopped early, there are whole comparisons of fewer seeds."""
        return [Run(arm, seed) for seed in range(self._settings.seeds) for arm in self._settings.arms]

    def kept(self) -> Container[Run]:
        return {Run(play["arm"], play["seed"]) for play in self._results.content["plays"]}

    def keep(self, run: Run, found: dict[str, Any]) -> None:
        self._results.add(found)

    def do(self, run: Run) -> dict[str, Any]:
        folder = self._work / f"seed{run.seed}" / run.arm.replace("/", "-")
        arm = Arm.of(run.arm)
        return Play(folder, self._cohort, self._oracle, self._settings, arm, run.seed, self._say).run()

    def words(self, found: dict[str, Any]) -> str:
        seconds = sum(sum(case["seconds"].values()) for case in found["cases"])
        dice = np.mean([case["dice"] for case in found["cases"] if case.get("dice") is not None] or [0.0])
        return f"{duration(seconds)} of annotation, Dice of the final labels {dice:.3f}"
