"""What a strategy is, and how one is found by its name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from metassl.choices.plugins import load
from metassl.choices.strategies import STRATEGY_CATALOG
from metassl.files.errors import MetaSSLError
from metassl.project.effort.cost import ASSUMED
from metassl.selection.candidate import Candidate
from metassl.selection.context import Context


@dataclass(frozen=True)
class Scored:
    """A case's score (higher is looked at earlier), why, in a line, and the parts that the score is made of."""

    case: str
    score: float
    reason: str
    parts: dict[str, float] = field(default_factory=dict)


class Strategy(Protocol):
    """Puts predicted cases in the order in which a person should look at them."""

    needs: tuple[str, ...]
    """Fields of `Candidate` that are read: a case whose summary lacks one is left out before `order` is called."""

    def order(self, candidates: Sequence[Candidate], context: Context) -> list[Scored]:
        """Every candidate once, the first to look at on top, with scores that do not rise."""
        ...


def get_strategy(name: str) -> Strategy:
    """A new strategy by its name. MetaSSLError, listing the names, when there is none."""
    paths = {each.name: each.path for each in STRATEGY_CATALOG}
    if name not in paths:
        raise MetaSSLError(f"there is no way of ranking called {name!r}: use one of {', '.join(sorted(paths))}")
    found: Strategy = load(paths[name])()
    return found


def by_score(scored: Iterable[Scored]) -> list[Scored]:
    """The highest score first; equal ones in the order of their names."""
    return sorted(scored, key=lambda each: (-each.score, each.case))


def place_score(place: int, count: int) -> float:
    """The score 1..0 of the case at `place` (from 0) for strategies that give an order and no amount."""
    return 1.0 - place / max(count, 1)


CASE_SECONDS = 120.0
"""Per case, right or wrong: opening it, looking through its slices, accepting it. An assumption, not a measurement."""

VOXEL_SECONDS = ASSUMED.correct_voxel
"""Per voxel that has to be changed: twenty voxels a second with brush and fill. An assumption as well."""


def annotation_minutes(wrong_voxels: float) -> float:
    """Minutes to correct a case in which so many voxels are wrong."""
    return (CASE_SECONDS + VOXEL_SECONDS * wrong_voxels) / 60.0
