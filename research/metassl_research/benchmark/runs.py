"""The trainings of a benchmark, and their place in the results file."""

from __future__ import annotations

from typing import Any

from metassl_research.benchmark.plan import Run, planned
from metassl_research.benchmark.results import Results
from metassl_research.benchmark.settings import Settings
from metassl_research.experiment import Experiment
from metassl_research.label_noise import noisy_cases, wrong_annotation
from metassl_research.resumable import Report, Trainings


class Benchmark(Trainings[Run]):
    def __init__(self, experiment: Experiment, settings: Settings, results: Results, report: Report) -> None:
        super().__init__(experiment, report)
        self._settings, self._results = settings, results

    def planned(self) -> list[Run]:
        return planned(self._settings, len(self.experiment.train_order))

    def kept(self) -> Results:
        return self._results

    def keep(self, run: Run, found: dict[str, Any]) -> None:
        self._results.add(run, found)

    def do(self, run: Run) -> dict[str, Any]:
        labelled = self.experiment.train_order[: run.labelled]
        noisy = {} if run.noisy is None else noisy_cases(labelled, run.noisy, run.seed)
        asked = self._settings
        found = self.trained(
            run,
            labelled,
            minutes=asked.minutes,
            iterations=asked.iterations,
            device=asked.device,
            clock=asked.clock,
            label_versions={case: self._noisy_version(case, kind, run.seed) for case, kind in noisy.items()},
        )
        return {"cases": labelled, "noisy_cases": noisy, **found}

    def _noisy_version(self, case: str, kind: str, seed: int) -> str:
        """The version of a wrong annotation, kept in the history of the labels; the true one stays the case's label."""
        project, true = self.experiment.project, self.experiment.known.versions[case]
        label, geometry = project.read_label(case, true)
        wrong = wrong_annotation(label, geometry.spacing_zyx, kind, seed)
        try:
            return project.add_label(case, (wrong, geometry))
        finally:
            project.add_label(case, (label, geometry))
