"""Random, but every structure gets its turn: the baseline that is hard to beat."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Scored, place_score, register
from .candidate import Candidate
from .context import Context


@register("foreground_random")
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
        names = sorted({name for each in left for name in each.classes if _shows(each, name)})
        ordered: list[Scored] = []
        while left:
            name = names[random.integers(len(names))] if names else None
            showing = [each for each in left if name and _shows(each, name)]
            if name and not showing:
                names.remove(name)
                continue
            chosen = (showing or left)[random.integers(len(showing or left))]
            left.remove(chosen)
            reason = f"drawn at random among the cases that show {name}" if name else "random order; no structure found"
            ordered.append(Scored(chosen.case, place_score(len(ordered), len(candidates)), reason))
        return ordered


def _shows(candidate: Candidate, name: str) -> bool:
    return name in candidate.classes and candidate.classes[name].volume > 0
