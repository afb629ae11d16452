"""Cases first that promise much and resemble neither the labelled ones nor each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .base import Scored
from .candidate import Candidate
from .context import Context
from .discrepancy import Discrepancy
from .distances import Distances, picks


class Combined:
    """Expected gain per minute (`discrepancy`) times the distance to the nearest labelled or picked case.

    The distance is divided by the median one at the start, so that it is 1 for a usual case. A case without features
    counts as usual; when none has them this is `discrepancy`.
    """

    needs = (*Discrepancy.needs, "features")

    def order(self, candidates: Sequence[Candidate], context: Context) -> list[Scored]:
        """Parts: the gain in % of a structure per minute, and the distance that it is multiplied with."""
        gains = {each.case: each for each in Discrepancy().order(candidates, context)}
        candidates = sorted(candidates, key=lambda each: each.case)
        distances = Distances(candidates, context)
        usual = float(np.median(distances.nearest)) if len(candidates) else 1.0
        worth = np.array([gains[each.case].score for each in candidates]) / (usual or 1.0)
        ordered: list[Scored] = []
        for index, score, distance in picks(worth, distances):
            gain = gains[candidates[index].case]
            novelty = distance / (usual or 1.0)
            how = "very unlike" if novelty > 1.25 else "much like" if novelty < 0.75 else "somewhat unlike"
            told = f"; {how} the labelled cases" if distances.known[index] else ""
            told += " and those above it" if told and ordered else ""
            parts = {"gain": gain.score, "novelty": novelty}
            ordered.append(Scored(gain.case, score, f"{gain.reason}{told}", parts))
        return ordered
