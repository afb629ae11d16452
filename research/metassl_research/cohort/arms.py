"""The ways to work through a cohort that are compared: which case next, and what of it is looked at.

draw                  every case is drawn, without any model
combined              an order of the cases, a strategy of `metassl rank`; every slice is looked at
combined/0.9          only slices that hold an error deeper than the tolerance with this chance, or a higher one;
                      nothing else tells the project how right its predictions are
combined/0.9/slices   the same, and until the last training only the slices that were looked at count as annotated
"""

from __future__ import annotations

from dataclasses import dataclass

from metassl.choices.strategies import STRATEGY_NAMES
from metassl.files.errors import MetaSSLError
from metassl.project.project import Project
from metassl.project.records import Ranking
from metassl.project.round_files import read_ranking, read_summary
from metassl.project.rounds import Round
from metassl.selection.rank import rank

DRAW, SLICES = "draw", "slices"
LOOKS = {
    "ORDER": "every slice that may show a structure; at the end an audit, after which the rest may be accepted unseen",
    "ORDER/CHANCE": "only slices that are expected to hold an error deeper than the tolerance with this chance or a "
    "higher one, and only they tell how right predictions are; at the end, cases without any such slice are accepted "
    "unseen, by expectation and without an audit",
    "ORDER/CHANCE/slices": "the same, and until the last training only slices that were looked at count as annotated",
}


@dataclass(frozen=True)
class Arm:
    """`order`: a strategy, or DRAW. `chance`: of the slices to look at, None for all. `partly`: what was looked at is
    kept as a partial annotation until the last training.
    """

    order: str
    chance: float | None = None
    partly: bool = False

    @property
    def name(self) -> str:
        chance = [] if self.chance is None else [f"{self.chance:g}"]
        return "/".join([self.order, *chance, *([SLICES] if self.partly else [])])

    @property
    def draws_all(self) -> bool:
        return self.order == DRAW

    @staticmethod
    def of(text: str) -> Arm:
        """MetaSSLError for an arm that does not exist."""
        order, *looks = text.split("/")
        partly = looks[1:] == [SLICES]
        chance = _chance(looks[0]) if looks else None
        wrong = (looks and chance is None) or (len(looks) > 1 and not partly) or (order == DRAW and looks)
        if wrong or order not in (*STRATEGY_NAMES, DRAW):
            raise MetaSSLError(
                f"there is no arm {text!r}: use {DRAW}, ORDER, ORDER/CHANCE or ORDER/CHANCE/{SLICES}, with an order of "
                f"{', '.join(STRATEGY_NAMES)} and a chance such as 0.9"
            )
        return Arm(order, chance, partly)

    def ranking(self, project: Project, found: Round) -> Ranking:
        """The ranking of a round by this arm, made once and kept with the round, as the product keeps its own."""
        kept = read_ranking(found)
        return kept if kept.strategy == self.order else rank(project, found, self.order)

    def slices(self, found: Round, case: str) -> list[int] | None:
        """Those of the case to look at; None for all, also where nothing is known of them."""
        effort = None if self.chance is None else read_summary(found.prediction(case).summary, case).effort
        if self.chance is None or effort is None:
            return None
        return [place for place, wrong in enumerate(effort.wrong) if wrong >= self.chance]


def chosen_arms(text: str) -> tuple[str, ...]:
    """The names in "draw,random,combined/0.9". MetaSSLError for one that does not exist."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise MetaSSLError("name an arm at least, such as draw,random,combined")
    return tuple(dict.fromkeys(Arm.of(name).name for name in names))


def _chance(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None
