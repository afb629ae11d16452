"""Cases first that resemble none that is labelled."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Scored
from .candidate import Candidate
from .context import Context
from .distances import Distances, picks


class Diversity:
    """k-centre greedy (Sener and Savarese, ICLR 2018): always the case farthest from all labelled and picked ones.

    Distances are between the bottleneck features of the present model. Without features of labelled cases the average
    case counts as labelled. Predictions without features come last.
    """

    needs = ("features",)

    def order(self, candidates: Sequence[Candidate], context: Context) -> list[Scored]:
        """The score is the distance to the nearest labelled or picked case."""
        candidates = sorted(candidates, key=lambda each: each.case)
        distances = Distances(candidates, context)
        others = "labelled case" if distances.from_labelled else "average case"
        ordered: list[Scored] = []
        for index, score, _ in picks(distances.known.astype(float), distances):
            reason = f"unlike every {others}: {score:.2f} from the nearest, in the model's features"
            if not distances.known[index]:
                reason = "how it differs from the others is not known: it was predicted by an older version"
            elif ordered:
                reason = reason.replace(others, f"{others}, and the cases above it", 1)
            ordered.append(Scored(candidates[index].case, score, reason))
        return ordered
