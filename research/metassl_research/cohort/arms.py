"""The ways to work through a cohort that are compared: which case next, and what of it is looked at.

An arm is ORDER or ORDER/LOOK; `draw` draws every case, without any model.
"""

from __future__ import annotations

from dataclasses import dataclass

from metassl.choices.strategies import STRATEGY_NAMES
from metassl.files.errors import MetaSSLError
from metassl.files.json_files import write_json
from metassl.project.project import Project
from metassl.project.records import Ranking
from metassl.project.round_files import read_ranking
from metassl.project.rounds import Round
from metassl.selection.rank import rank

from metassl_research.cohort.costs import Costs
from metassl_research.cohort.expected import expected_ranking, worthwhile_slices

DRAW = "draw"
LOOKS = {
    "all": "every slice that may show a structure; at the end an audit, after which the rest may be accepted unseen",
    "worth": "the slices that are expected to hold a deep error; a case without any is accepted unseen at the end",
    "slices": "as worth, but until the last training only the slices that were looked at are kept as annotation",
}
EXPECTED = "expected"
"""An order beside the strategies of the product: most deep errors to be expected per second first."""


@dataclass(frozen=True)
class Arm:
    """`order`: a strategy of the product, or EXPECTED; `look`: one of LOOKS."""

    order: str
    look: str = "all"

    @property
    def name(self) -> str:
        return self.order if self.look == "all" else f"{self.order}/{self.look}"

    @property
    def draws_all(self) -> bool:
        return self.order == DRAW

    @staticmethod
    def of(text: str) -> Arm:
        """MetaSSLError for an arm that does not exist."""
        order, _, look = text.partition("/")
        known = (*STRATEGY_NAMES, EXPECTED)
        if (order not in known and text != DRAW) or (look or "all") not in LOOKS:
            raise MetaSSLError(
                f"there is no arm {text!r}: use {DRAW}, or ORDER or ORDER/LOOK with an order of {', '.join(known)} and "
                f"a look of {', '.join(LOOKS)}"
            )
        return Arm(order, look or "all")

    def ranking(self, project: Project, found: Round, costs: Costs, tolerance_mm: float) -> Ranking:
        """The ranking of a round by this arm, made once and kept with the round, as the product keeps its own."""
        kept = read_ranking(found)
        if kept.strategy == self.order:
            return kept
        if self.order != EXPECTED:
            return rank(project, found, self.order)
        ranking = expected_ranking(project, found, costs, tolerance_mm)
        write_json(found.ranking_path, ranking.to_json())
        return ranking

    def slices(self, found: Round, case: str, tolerance_mm: float) -> list[int] | None:
        """Those of the case to look at; None for all."""
        return None if self.look == "all" else worthwhile_slices(found, case, tolerance_mm)


def chosen_arms(text: str) -> tuple[str, ...]:
    """The names in "a,b/worth,draw". MetaSSLError for one that does not exist."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise MetaSSLError("name an arm at least, such as draw,random,combined")
    return tuple(dict.fromkeys(Arm.of(name).name for name in names))
