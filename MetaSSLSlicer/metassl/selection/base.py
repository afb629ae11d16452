"""What a strategy is, and the registry that finds one by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from metassl.jobs.strategies_catalog import DEFAULT_STRATEGY
from metassl.project.errors import MetaSSLError

from .candidate import Candidate
from .context import Context

DEFAULT = DEFAULT_STRATEGY


@dataclass(frozen=True)
class Scored:
    """A case's score (higher is looked at earlier), why, in a line, and the parts that the score is made of."""

    case: str
    score: float
    reason: str
    parts: dict[str, float] = field(default_factory=dict)


class Strategy(Protocol):
    """Puts predicted cases in the order in which a person should look at them."""

    name: str
    needs: tuple[str, ...]
    """Fields of `Candidate` that are read: a case whose summary lacks one is left out before `order` is called."""

    def order(self, candidates: Sequence[Candidate], context: Context) -> list[Scored]:
        """Every candidate once, the first to look at on top, with scores that do not rise."""
        ...


STRATEGIES: dict[str, type[Strategy]] = {}


def register(name: str) -> Callable[[type], type]:
    """Class decorator: make a strategy available under `name`."""

    def add(cls: type) -> type:
        if name in STRATEGIES:
            raise ValueError(f"two strategies are called {name}")
        cls.name = name
        STRATEGIES[name] = cls
        return cls

    return add


def get_strategy(name: str) -> Strategy:
    """A new strategy by its name. MetaSSLError, listing the names, when there is none."""
    if name not in STRATEGIES:
        known = ", ".join(sorted(STRATEGIES))
        raise MetaSSLError(f"there is no way of ranking called {name!r}: use one of {known}")
    return STRATEGIES[name]()


def by_score(scored: Iterable[Scored]) -> list[Scored]:
    """The highest score first; equal ones in the order of their names."""
    return sorted(scored, key=lambda each: (-each.score, each.case))


def place_score(place: int, count: int) -> float:
    """The score 1..0 of the case at `place` (from 0) for strategies that give an order and no amount."""
    return 1.0 - place / max(count, 1)
