"""The project that learns in a simulation: an experiment whose trainings all have one recipe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from metassl.inference.predictor import CasePrediction
from metassl.project.rounds import Round
from metassl.project.structures import LabelDefinition

from metassl_research.experiment import Experiment
from metassl_research.simulation.settings import Settings


class ExperimentLearner:
    """`loop.Learner` over an experiment: the ordinary worker trains, in its own process."""

    def __init__(self, experiment: Experiment, settings: Settings) -> None:
        self._experiment, self._settings = experiment, settings

    @property
    def train_order(self) -> list[str]:
        return list(self._experiment.train_order)

    @property
    def test(self) -> list[str]:
        return list(self._experiment.test)

    @property
    def labels(self) -> list[LabelDefinition]:
        return self._experiment.project.labels

    def train(self, key: str, labelled: Sequence[str], seed: int, parent: Round | None) -> Round:
        """A finished training with this key is returned at once; one that was cut short goes on."""
        asked = self._settings
        return self._experiment.train(
            key,
            list(labelled),
            framework=asked.framework,
            loss=asked.loss,
            minutes=asked.minutes,
            iterations=asked.iterations,
            seed=seed,
            device=asked.device,
            clock=asked.clock,
            parent=parent,
        )

    def round(self, number: int | None) -> Round | None:
        return None if number is None else self._experiment.project.round(number)

    def predictions(self, found: Round, cases: Iterable[str]) -> Iterator[tuple[str, CasePrediction]]:
        """One case at a time, in memory."""
        return self._experiment.predictions(found, list(cases))
