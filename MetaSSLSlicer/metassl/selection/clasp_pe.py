"""Class-stratified scheduled power predictive entropy (ClaSP PE) for whole cases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle

import numpy as np

from .base import Scored, place_score
from .candidate import Candidate
from .context import Context

STRATIFIED = 0.66
"""Share of the queries that ask for one structure, as in the authors' framework nnActive; the others ask for any."""

FIRST_BETA, LAST_BETA, ROUNDS = 1.0, 100.0, 5
TINY = 1e-9


class ClaspPE:
    """Lüth et al., TMLR 2026, arXiv:2601.13677, from its abstract and from what nnActive documents of its parts.

    Two queries in three go to the structures in turn, by the entropy weighted with the structure's probability; the
    third to the entropy as such. To its logarithm comes Gumbel noise of scale 1 / beta (power noise), which decays over
    the rounds. The paper queries patches, we query cases. Its exact schedule was not at hand: here beta rises from 1
    to 100 over the first five rounds, evenly on a logarithmic scale, and stays there.
    """

    needs = ("classes", "whole")

    def order(self, candidates: Sequence[Candidate], context: Context) -> list[Scored]:
        """The scores tell the place only."""
        candidates = sorted(candidates, key=lambda each: each.case)
        random = context.random("clasp_pe")
        names = sorted({name for each in candidates for name in each.classes})
        scores: dict[str | None, np.ndarray] = {
            name: self._noisy([_entropy(each, name) for each in candidates], random, context) for name in names
        }
        scores[None] = self._noisy([each.whole.entropy * each.voxel_ml for each in candidates], random, context)
        turns: Iterator[str | None] = cycle([names[index] for index in random.permutation(len(names))] or [None])
        left = np.ones(len(candidates), bool)
        ordered: list[Scored] = []
        for place in range(len(candidates)):
            name = next(turns) if random.random() < STRATIFIED else None
            best = int(np.where(left, scores[name], -np.inf).argmax())
            left[best] = False
            reason = f"among the most uncertain about {name or 'its structures together'}"
            ordered.append(Scored(candidates[best].case, place_score(place, len(candidates)), reason))
        return ordered

    @staticmethod
    def _noisy(entropies: list[float], random: np.random.Generator, context: Context) -> np.ndarray:
        noise = random.gumbel(0.0, 1.0 / beta(context.round), len(entropies))
        noisy: np.ndarray = np.log(np.array(entropies) + TINY) + noise
        return noisy


def beta(round_number: int) -> float:
    """Inverse scale of the noise in this round, counting from 1."""
    share = min(max(round_number - 1, 0) / (ROUNDS - 1), 1.0)
    return float(FIRST_BETA * (LAST_BETA / FIRST_BETA) ** share)


def _entropy(candidate: Candidate, name: str) -> float:
    found = candidate.classes.get(name)
    return 0.0 if found is None else found.entropy
