"""What a strategy is, and the registry that finds one by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from metassl.project.errors import MetaSSLError

DEFAULT = "discrepancy"


@dataclass(frozen=True)
class Scored:
    """A case's score (higher is looked at earlier), the parts it is made of, and why, in a line."""

    score: float
    reason: str
    parts: dict[str, float] = field(default_factory=dict)


class Strategy(Protocol):
    """Scores one case from the summary.json of its prediction."""

    name: str

    def score(self, summary: Mapping[str, Any]) -> Scored:
        """The score of one case. KeyError or TypeError when the summary lacks what it needs."""
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
