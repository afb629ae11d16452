"""What the strategies know beside the candidates: the round, the labelled cases, the measured error rates."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from metassl.files.errors import ProjectError
from metassl.project.round_files import read_error_rates, read_labelled_cases
from metassl.project.rounds import Round

from .candidate import as_features


@dataclass(frozen=True)
class LabelledCase:
    """features: float64 (F,) or None; volumes: annotated ml of each structure, by name."""

    case: str
    features: np.ndarray | None = None
    volumes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Context:
    """round: counts from 1. error_rates: measured P(error | region), {"US": rate or None, ...}, or None."""

    round: int = 1
    seed: int = 0
    labelled: tuple[LabelledCase, ...] = ()
    error_rates: Mapping[str, float | None] | None = None

    def random(self, purpose: str) -> np.random.Generator:
        """The same numbers for the same seed, round and purpose."""
        return np.random.default_rng(self._digest(purpose))

    def number(self, purpose: str) -> float:
        """One number in 0..1 of that kind."""
        return self._digest(purpose) / 2**48

    def _digest(self, purpose: str) -> int:
        text = f"{purpose}/{self.round}/{self.seed}"
        return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:6], "big")

    @staticmethod
    def of(found: Round) -> Context:
        """The context in which the predictions of a round are ranked; what the round did not write stays unknown."""
        config = found.record.get("config") or {}
        measured = _tried(read_error_rates, found)
        rates = None if measured is None else measured.rates
        return Context(found.number, int(config.get("seed") or 0), read_labelled(found), rates)


def read_labelled(found: Round) -> tuple[LabelledCase, ...]:
    """The labelled cases of a round; without features when it is older than these."""
    entries = _tried(read_labelled_cases, found)
    if entries is None:
        return tuple(LabelledCase(case) for case in found.record.get("labels") or {})
    return tuple(
        LabelledCase(case, as_features(entry.get("features")), entry.get("volume_ml") or {})
        for case, entry in entries.items()
    )


def _tried(read: Callable[[Round], Any], found: Round) -> Any:
    """None where nothing, or nothing legible, was written: a ranking goes without it."""
    try:
        return read(found)
    except ProjectError:
        return None
