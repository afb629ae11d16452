"""The loop of a benchmark: train, measure, keep, one run after the other."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from metassl.files.errors import BusyError, MetaSSLError
from metassl.project.words import duration

from metassl_research.benchmark.measure import measured
from metassl_research.benchmark.plan import Run, planned
from metassl_research.benchmark.results import Results
from metassl_research.benchmark.settings import Settings
from metassl_research.experiment import Experiment
from metassl_research.label_noise import noisy_cases, wrong_annotation

Report = Callable[[int, int, str, float], object]


def one_after_the_other(waiting: Sequence[Any], total: int, do: Callable[[Any], str], report: Report) -> dict[str, str]:
    """`do` each run that is waiting, of a `total`; it says what came out. Returns {run: reason} of those that failed.

    report(done, of, words, seconds left) is called after each. A project that somebody else trains ends it all.
    """
    failed: dict[str, str] = {}
    begin = time.monotonic()
    for done, run in enumerate(waiting, start=1):
        try:
            words = do(run)
        except BusyError:
            raise
        except MetaSSLError as error:
            failed[run.key] = words = str(error)
        seconds = (time.monotonic() - begin) / done * (len(waiting) - done)
        report(total - len(waiting) + done, total, f"{run.key}: {words}", seconds)
    return failed


def tell(done: int, of: int, words: str, left: float) -> None:
    """A Report for people, on stderr."""
    eta = f"; {duration(left)} left" if done < of else ""
    print(f"[{done}/{of}] {words}{eta}", file=sys.stderr, flush=True)


def outcome(found: dict[str, Any]) -> str:
    """Of what `measured` says."""
    return f"Dice {found['last']['dice']['mean'] or 0.0:.3f}"


class Benchmark:
    """report: see `one_after_the_other`."""

    def __init__(self, experiment: Experiment, settings: Settings, results: Results, report: Report) -> None:
        self._experiment, self._settings, self._results, self._report = experiment, settings, results, report

    def run(self) -> dict[str, str]:
        """Do all runs that are not in the results yet. Returns {run: reason} of those that failed; the rest go on."""

        def do(run: Run) -> str:
            found = self._one(run)
            self._results.add(run, found)
            return outcome(found)

        return one_after_the_other(self.left(), len(self._planned()), do, self._report)

    def left(self) -> list[Run]:
        """The runs that are not in the results yet."""
        return [run for run in self._planned() if run not in self._results]

    def _planned(self) -> list[Run]:
        return planned(self._settings, len(self._experiment.train_order))

    def _one(self, run: Run) -> dict[str, Any]:
        labelled = self._experiment.train_order[: run.labelled]
        noisy = {} if run.noisy is None else noisy_cases(labelled, run.noisy, run.seed)
        asked = self._settings
        found = self._experiment.train(
            run.key,
            labelled,
            framework=run.framework,
            loss=run.loss,
            seed=run.seed,
            minutes=asked.minutes,
            iterations=asked.iterations,
            device=asked.device,
            clock=asked.clock,
            label_versions={case: self._noisy_version(case, kind, run.seed) for case, kind in noisy.items()},
        )
        return {"cases": labelled, "noisy_cases": noisy, **measured(self._experiment, found)}

    def _noisy_version(self, case: str, kind: str, seed: int) -> str:
        """The version of a wrong annotation, kept in the history of the labels; the true one stays the case's label."""
        project, true = self._experiment.project, self._experiment.known.versions[case]
        label, geometry = project.read_label(case, true)
        wrong = wrong_annotation(label, geometry.spacing_zyx, kind, seed)
        try:
            return project.add_label(case, (wrong, geometry))
        finally:
            project.add_label(case, (label, geometry))
