"""Which trainings a comparison with peers is made of, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from metassl.files.errors import MetaSSLError
from metassl.project.words import duration

from metassl_research.peers.ours import OURS


class PeerArm(NamedTuple):
    """peer, schedule: of its `TrainingJob`."""

    peer: str
    schedule: str = "time"


PEER_ARMS = {
    "nnunet": PeerArm("nnunet"),
    "nnunet-1000": PeerArm("nnunet", "1000 epochs"),
    "monailabel": PeerArm("monailabel"),
}
ARMS = (*OURS, *PEER_ARMS)

SOURCE, FINETUNED = "source", "nnunet-finetuned"
ADAPT_ARMS = (SOURCE, FINETUNED, "plain", "uniform", "metassl")
"""Of `metassl adapt`: the model as it is, nnU-Net's own fine-tuning of it, and ours from it."""


@dataclass(frozen=True)
class Run:
    """One training for so many minutes with so many labelled cases. source: the model that it goes on from, or ""."""

    data: str
    arm: str
    labelled: int
    minutes: float
    clock: str
    seed: int
    source: str = ""

    @property
    def key(self) -> str:
        """Its name in the experiment and in messages."""
        words = [f"{self.arm} {self.minutes:g} minutes", f"{self.labelled} labelled", f"seed {self.seed}", self.clock]
        return ", ".join([*words, self.source] if self.source else words)


@dataclass(frozen=True)
class Settings:
    data: str
    arms: tuple[str, ...]
    labelled: tuple[int, ...]
    minutes: tuple[float, ...]
    seeds: int = 3
    clock: str = "wall"
    device: str = "auto"
    looks: tuple[float, ...] = (0.25, 0.5, 0.75)
    """At which shares of its time a training is looked at on the way."""

    def runs(self) -> list[Run]:
        """Length by length and seed by seed: stopped early, there are whole comparisons of fewer seeds."""
        return [
            Run(self.data, arm, labelled, minutes, self.clock, seed)
            for minutes in self.minutes
            for seed in range(self.seeds)
            for labelled in self.labelled
            for arm in self.arms
        ]


@dataclass(frozen=True)
class Source:
    """The model of `metassl adapt`: nnU-Net's, of the last so many training cases, as another scanner shows them."""

    cases: int = 20
    minutes: float = 15.0

    @property
    def words(self) -> str:
        return f"from {self.cases} shifted cases, {duration(60 * self.minutes)}"


@dataclass(frozen=True)
class AdaptSettings(Settings):
    source: Source = Source()

    def runs(self) -> list[Run]:
        """The source first, which is trained once and learns from no label of the target, then as above."""
        first = Run(self.data, SOURCE, 0, self.source.minutes, self.clock, 0, self.source.words)
        others = [
            Run(self.data, arm, labelled, minutes, self.clock, seed, self.source.words)
            for minutes in self.minutes
            for seed in range(self.seeds)
            for labelled in self.labelled
            for arm in self.arms
            if arm != SOURCE and labelled
        ]
        return [first, *others]


def chosen_minutes(text: str) -> tuple[float, ...]:
    """The lengths in "4,15,60", shortest first. MetaSSLError for what is none."""
    try:
        found = {float(word) for word in text.split(",")}
    except ValueError:
        found = {0.0}
    if not all(0 < minutes < 100_000 for minutes in found):
        raise MetaSSLError(f"--minutes {text!r}: write numbers above zero, such as 4,15,60")
    return tuple(sorted(found))


def chosen_looks(text: str) -> tuple[float, ...]:
    """The shares in "0.25,0.5", none in "". MetaSSLError for what is none."""
    words: Sequence[str] = [word for word in text.split(",") if word.strip()]
    try:
        found = {float(word) for word in words}
    except ValueError:
        found = {0.0}
    if not all(0 < share < 1 for share in found):
        raise MetaSSLError(f"--looks {text!r}: write shares of the time between 0 and 1, such as 0.25,0.5,0.75")
    return tuple(sorted(found))
