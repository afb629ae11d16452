"""Cases first whose structures and their surroundings are the most uncertain."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Scored, by_score
from .candidate import Candidate
from .context import Context

EMPTY = 1.0  # more than any uncertainty: cases in which nothing was found come first


class Entropy:
    """The mean normalised entropy (0..1) in the band round the predicted structures."""

    needs = ("uncertainty", "is_empty")

    def order(self, candidates: Sequence[Candidate], context: Context) -> list[Scored]:
        """Parts: what is ambiguous in the image, and what the two networks see differently."""
        return by_score(map(self._scored, candidates))

    @staticmethod
    def _scored(candidate: Candidate) -> Scored:
        mean, mutual = candidate.uncertainty
        parts = {"ambiguous": max(mean - mutual, 0.0), "networks_differ": mutual}
        if candidate.is_empty:
            parts["empty"] = EMPTY
            return Scored(candidate.case, mean + EMPTY, "no structure was found in this image", parts)
        return Scored(candidate.case, mean, f"mean uncertainty {mean:.3f} round the structures", parts)
