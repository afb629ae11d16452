"""What was asked of the plays, kept with their results so that two kinds cannot be mixed up."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from metassl.project.effort.cost import Costs

from metassl_research.kept_settings import refuse_other_settings

MAY_GROW = ("arms", "seeds")
"""Results can be gone on with, with more of these; everything else must stay."""

OPTIONS = {"rounds": "--after", "sources": "--costs"}
"""Of the settings whose option has another name."""

LAST_TRAINING = 0.75
"""After this share of the cohort no training follows: too few cases would gain by it."""


@dataclass(frozen=True)
class Settings:
    """rounds: trainings come when so many cases are done, the first of them drawn. unseen: the rest is accepted where
    at most this share of it needs correction, by the audit. seen: deep voxels of fewer mm² in a slice are not. device,
    framework, loss, iterations: of each training.
    """

    data: str
    arms: tuple[str, ...]
    costs: Costs
    sources: dict[str, str]
    rounds: tuple[int, ...]
    seeds: int = 3
    tolerance: float = 1.5
    seen: float = 0.0
    unseen: float = 0.1
    framework: str = "cps"
    loss: str = "metassl"
    iterations: int = 300
    device: str = "auto"

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "arms": list(self.arms), "rounds": list(self.rounds)}

    def trainings(self, cases: int) -> tuple[int, ...]:
        """After how many cases of a cohort of that size a training comes."""
        return tuple(each for each in self.rounds if each <= LAST_TRAINING * cases)

    def continues(self, former: dict[str, Any], where: object) -> None:
        """MetaSSLError when the results in the file `where` were made with other settings."""
        asked = self.to_json()
        fixed = [name for name in asked if name not in MAY_GROW]
        refuse_other_settings(asked, former, fixed, where, "a simulation", OPTIONS)
