"""Random, but every structure gets its turn: the baseline that is hard to beat."""

from __future__ import annotations

from collections.abc import Container, Sequence

import numpy as np

from .base import Scored, place_score
from .candidate import Candidate
from .context import Context


class ForegroundRandom:
    """Draw a structure at random, then at random a case in which it is predicted; without putting back.

    Foreground-aware random sampling (nnActive, arXiv:2511.19183) at the level of cases. It differs from `random` where
    structures are missing from some images. Cases in which nothing is predicted come last, at random.
    """

    needs = ("classes",)

    def order(self, candidates: Sequence[Candidate], context: Context) -> list[Scored]:
        """The scores tell the place only."""
        random = context.random("foreground")
        left = sorted(candidates, key=lambda each: each.case)
        names = sorted({name for each in left for name in each.classes})
        showing = {name: _shuffled([each.case for each in left if _shows(each, name)], random) for name in names}
        reasons: dict[str, str] = {}
        while names:
            name = names[random.integers(len(names))]
            case = _pop_new(showing[name], reasons)
            if case is None:
                names.remove(name)
            else:
                reasons[case] = f"drawn at random among the cases that show {name}"
        for case in _shuffled([each.case for each in left if each.case not in reasons], random):
            reasons[case] = "random order; no structure found"
        return [
            Scored(case, place_score(place, len(candidates)), reason)
            for place, (case, reason) in enumerate(reasons.items())
        ]


def _shows(candidate: Candidate, name: str) -> bool:
    return name in candidate.classes and candidate.classes[name].volume > 0


def _shuffled(cases: list[str], random: np.random.Generator) -> list[str]:
    return [cases[index] for index in random.permutation(len(cases))]


def _pop_new(cases: list[str], taken: Container[str]) -> str | None:
    """The last of the cases that is not taken, None when there is none; it and those after it leave the list."""
    while cases:
        case = cases.pop()
        if case not in taken:
            return case
    return None
