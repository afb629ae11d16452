"""Which trainings a benchmark is made of, and in which order: after each seed the table is complete."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from metassl_research.benchmark.settings import FLOOR, Settings


@dataclass(frozen=True)
class Run:
    """One training with the first `labelled` training cases; noisy: share of them with a wrong annotation, or None."""

    framework: str
    loss: str
    labelled: int
    seed: int
    noisy: float | None = None

    @property
    def key(self) -> str:
        """Its name in the experiment and in messages."""
        noise = "" if self.noisy is None else f", {100 * self.noisy:g} % noisy"
        return f"seed {self.seed}, {self.labelled} labelled, {self.framework} {self.loss}{noise}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def planned(settings: Settings, training_cases: int) -> list[Run]:
    """Per seed: the floors and the ceiling, then every framework with each loss, then the noisy ones."""
    runs: list[Run] = []
    for seed in range(settings.seeds):
        runs += [Run(FLOOR, "plain", count, seed) for count in (*settings.labelled, training_cases)]
        for noisy in (None,) if settings.noisy is None else (None, settings.noisy):
            runs += [
                Run(framework, loss, count, seed, noisy)
                for count in settings.labelled
                for framework in settings.frameworks
                for loss in settings.losses
            ]
    return list(dict.fromkeys(runs))
