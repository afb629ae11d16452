"""Which trainings the experiment is made of, in which order, and the file that keeps one line of each.

    {"time", "run": {"data", "iterations", "framework", "loss", "labelled", "seed", "cases", "round", "steps",
     "seconds", "device", "threads", "versions", "dice" {test case: mean over its structures}, "last"}}

"cases": those it learnt from. "last": see `measure.measured`. A line that a killed process left torn is not
read, and its training is done again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from metassl.choices.frameworks import UNIFORM_IS_PLAIN, check_choice
from metassl.files.atomic import make_folder
from metassl.files.errors import MetaSSLError

from metassl_research.experiment import Experiment
from metassl_research.lines import add_run, read_lines
from metassl_research.resumable import Report, Trainings

APART = 14  # cases between the first labelled cases of two seeds


@dataclass(frozen=True)
class Run:
    """One training of `iterations` steps with `labelled` cases."""

    data: str
    iterations: int
    framework: str
    loss: str
    labelled: int
    seed: int
    plan: str = "auto"

    @property
    def key(self) -> str:
        """Its name in the experiment and in messages."""
        plan = "" if self.plan == "auto" else f" {self.plan}"
        return (
            f"{self.iterations} steps, seed {self.seed}, {self.labelled} labelled, {self.framework} {self.loss}{plan}"
        )


@dataclass(frozen=True)
class Settings:
    data: str
    iterations: tuple[int, ...]
    labelled: tuple[int, ...]
    frameworks: tuple[str, ...]
    losses: tuple[str, ...]
    seeds: int = 5
    device: str = "cpu"
    plan: str = "auto"

    def runs(self) -> list[Run]:
        """Length by length and seed by seed: stopped early, there are whole comparisons of fewer seeds.

        Where uniform is plain it is not trained again. ProjectError for a loss that a framework does not have.
        """
        for framework in self.frameworks:
            for loss in self.losses:
                check_choice(framework, loss)
        return [
            Run(self.data, iterations, framework, loss, labelled, seed, self.plan)
            for iterations in self.iterations
            for seed in range(self.seeds)
            for labelled in self.labelled
            for framework in self.frameworks
            for loss in self.losses
            if not (loss == "uniform" and "plain" in self.losses and framework in UNIFORM_IS_PLAIN)
        ]


def labelled_cases(train_order: Sequence[str], count: int, seed: int) -> list[str]:
    """The first `count` from a place of the seed's own on; the order is a ring.

    No two of the first seeds share a case while `count` is APART at most; more cases hold the fewer.
    """
    if count > len(train_order):
        raise MetaSSLError(f"--labelled {count} is more than the {len(train_order)} training cases")
    return [train_order[(APART * seed + place) % len(train_order)] for place in range(count)]


def read_runs(path: Path) -> dict[Run, dict[str, Any]]:
    """What is known of every run in the file, which need not exist. MetaSSLError when it holds something else."""
    return read_lines(path, Run, "reproduce", {"plan": "auto"}, ["dice"])


class Reproduction(Trainings[Run]):
    def __init__(self, experiment: Experiment, settings: Settings, path: Path, report: Report) -> None:
        super().__init__(experiment, report)
        self._settings, self._path = settings, path
        other = [run for run, known in read_runs(path).items() if set(known["dice"]) != set(experiment.test)]
        if other:
            raise MetaSSLError(f"{path} was made with other test cases: {other[0].key}; give another --out")
        for count in settings.labelled:
            labelled_cases(experiment.train_order, count, 0)
        make_folder(path.parent)

    def planned(self) -> list[Run]:
        return self._settings.runs()

    def kept(self) -> dict[Run, dict[str, Any]]:
        return read_runs(self._path)

    def keep(self, run: Run, found: dict[str, Any]) -> None:
        add_run(self._path, found)

    def do(self, run: Run) -> dict[str, Any]:
        cases = labelled_cases(self.experiment.train_order, run.labelled, run.seed)
        found = self.trained(run, cases, iterations=run.iterations, device=self._settings.device, plan=run.plan)
        last = found["last"]
        kept = {name: found[name] for name in ("round", "steps", "seconds", "device", "threads", "versions")}
        return {**asdict(run), "cases": cases, **kept, "dice": last.pop("cases"), "last": last}
