"""A comparison of many runs that goes on where it was stopped: train, measure, keep, one run after the other."""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Sequence
from typing import Any, Generic, Protocol, TypeVar

from metassl.files.errors import BusyError, MetaSSLError
from metassl.project.words import duration

from metassl_research.experiment import Experiment
from metassl_research.measure import measured

Report = Callable[[int, int, str, float], object]
"""(done, of, words, seconds left), called after each run."""


class Run(Protocol):
    """What tells one run from the others; it is equal to itself when it is read from the results."""

    @property
    def key(self) -> str: ...


class Training(Run, Protocol):
    """A run that is one training."""

    @property
    def framework(self) -> str: ...

    @property
    def loss(self) -> str: ...

    @property
    def seed(self) -> int: ...


AnyRun = TypeVar("AnyRun", bound=Run)
AnyTraining = TypeVar("AnyTraining", bound=Training)


class Resumable(ABC, Generic[AnyRun]):
    """Says which runs there are, which are kept, how one is done and how it is kept; the rest is here."""

    def __init__(self, report: Report) -> None:
        self._report = report

    @abstractmethod
    def planned(self) -> Sequence[AnyRun]:
        """All runs, in their order."""

    @abstractmethod
    def kept(self) -> Container[AnyRun]:
        """Those that are in the results."""

    @abstractmethod
    def do(self, run: AnyRun) -> dict[str, Any]:
        """Train and measure; what is to be kept."""

    @abstractmethod
    def words(self, found: dict[str, Any]) -> str:
        """What came of a run, in a few words."""

    @abstractmethod
    def keep(self, run: AnyRun, found: dict[str, Any]) -> None:
        """Add it to the results, on the disk."""

    def left(self) -> list[AnyRun]:
        """The runs that are not in the results yet."""
        kept = self.kept()
        return [run for run in self.planned() if run not in kept]

    def run(self) -> dict[str, str]:
        """Do those. Returns {run: reason} of the ones that failed; the rest go on.

        A project that somebody else trains ends it all.
        """
        waiting, total = self.left(), len(self.planned())
        failed: dict[str, str] = {}
        begin = time.monotonic()
        for done, run in enumerate(waiting, start=1):
            try:
                found = self.do(run)
                self.keep(run, found)
                words = self.words(found)
            except BusyError:
                raise
            except MetaSSLError as error:
                failed[run.key] = words = str(error)
            seconds = (time.monotonic() - begin) / done * (len(waiting) - done)
            self._report(total - len(waiting) + done, total, f"{run.key}: {words}", seconds)
        return failed


class Trainings(Resumable[AnyTraining]):
    """Runs that are trainings of one experiment each; what is kept has the "last" of `measured`."""

    def __init__(self, experiment: Experiment, report: Report) -> None:
        super().__init__(report)
        self.experiment = experiment

    def words(self, found: dict[str, Any]) -> str:
        return f"Dice {found['last']['dice']['mean'] or 0.0:.3f}"

    def trained(self, run: AnyTraining, labelled: Sequence[str], **options: Any) -> dict[str, Any]:
        """What is measured of its training with these cases; options of `Experiment.train`."""
        choice: dict[str, Any] = {"framework": run.framework, "loss": run.loss, "seed": run.seed}
        return measured(self.experiment, self.experiment.train(run.key, labelled, **choice, **options))


def tell(done: int, of: int, words: str, left: float) -> None:
    """A Report for people, on stderr."""
    eta = f"; {duration(left)} left" if done < of else ""
    print(f"[{done}/{of}] {words}{eta}", file=sys.stderr, flush=True)
