"""What was asked of a simulation, kept with its results so that two cannot be mixed up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from metassl.choices.strategies import STRATEGY_NAMES
from metassl.files.errors import MetaSSLError
from metassl.selection.base import CASE_SECONDS, VOXEL_SECONDS

from metassl_research.kept_settings import refuse_other_settings

MAY_GROW = ("strategies", "rounds", "seeds")
"""A simulation can be continued with more of these; everything else must stay."""

OPTIONS = {"case_seconds": "", "voxel_seconds": ""}
"""Of the settings that no option gives: they are of the version that made the results."""


@dataclass(frozen=True)
class Settings:
    """rounds: of annotation, after the shared first training. pool: cases to choose from; None: all there are."""

    data: str
    strategies: tuple[str, ...]
    rounds: int = 6
    per_round: int = 1
    seeds: int = 3
    labelled: int = 1
    framework: str = "cps"
    loss: str = "metassl"
    minutes: float | None = None
    iterations: int | None = None
    device: str = "auto"
    clock: str = "wall"
    pool: int | None = None
    fresh: bool = False
    case_seconds: float = CASE_SECONDS
    voxel_seconds: float = VOXEL_SECONDS

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "strategies": list(self.strategies)}

    def check_enough(self, training_cases: int) -> None:
        """MetaSSLError when there are too few cases to play all rounds."""
        queried = self.rounds * self.per_round
        if self.labelled + queried > training_cases:
            raise MetaSSLError(
                f"{self.labelled} labelled and {self.rounds} rounds of {self.per_round} need "
                f"{self.labelled + queried} cases to train on, and {self.data} has {training_cases}: lower --rounds"
            )
        if self.pool is not None and queried > self.pool:
            raise MetaSSLError(f"{self.rounds} rounds of {self.per_round} need a --pool of {queried} cases or more")

    def continues(self, former: dict[str, Any], where: object) -> None:
        """MetaSSLError when the results in the file `where` were made with other settings."""
        asked = self.to_json()
        fixed = [name for name in asked if name not in MAY_GROW]
        refuse_other_settings(asked, former, fixed, where, "a simulation", OPTIONS)


def chosen_strategies(text: str) -> tuple[str, ...]:
    """The names in "a,b,c", or all. MetaSSLError for one that does not exist."""
    names: Sequence[str] = [name.strip() for name in text.split(",") if name.strip()]
    if list(names) == ["all"]:
        return tuple(sorted(STRATEGY_NAMES))
    unknown = [name for name in names if name not in STRATEGY_NAMES]
    if unknown or not names:
        known = ", ".join(sorted(STRATEGY_NAMES))
        raise MetaSSLError(f"there is no strategy {', '.join(unknown) or repr(text)}: use some of {known}, or all")
    return tuple(dict.fromkeys(names))
