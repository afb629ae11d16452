"""The minutes of annotation that were recorded: case by case over the course of a project, and what was saved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from metassl.project.cases import Case

DRAWN = "labelled"
"""The state of a case that was annotated without a prediction under it."""


@dataclass(frozen=True)
class TimeSpent:
    """Seconds of each case that has an annotation and a time, in the order in which they were annotated.

    `drawn`: whether that was without a prediction. `untimed`: annotated cases without a time, such as those of labels
    that came as files. `unseen`: cases whose prediction was accepted without a look.
    """

    seconds: tuple[float, ...]
    drawn: tuple[bool, ...]
    untimed: int
    unseen: int

    @property
    def with_prediction(self) -> list[float]:
        """Seconds of those that were accepted or corrected."""
        return [spent for spent, drawn in zip(self.seconds, self.drawn, strict=True) if not drawn]

    @property
    def from_nothing(self) -> list[float]:
        """Seconds of those that were drawn."""
        return [spent for spent, drawn in zip(self.seconds, self.drawn, strict=True) if drawn]

    @property
    def saved(self) -> float | None:
        """Seconds that the cases with a prediction would have taken longer, had they taken as long as the drawn ones.

        Negative where they took longer; None where one of the two kinds has no time.
        """
        reviewed, drawn = self.with_prediction, self.from_nothing
        if not reviewed or not drawn:
            return None
        return len(reviewed) * sum(drawn) / len(drawn) - sum(reviewed)

    def minutes(self, drawn: bool) -> list[tuple[int, float]]:
        """(number of the case from 1, minutes) of those that were drawn, or of the others."""
        rows = enumerate(zip(self.seconds, self.drawn, strict=True), start=1)
        return [(number, spent / 60) for number, (spent, was_drawn) in rows if was_drawn == drawn]


def time_spent(cases: Iterable[Case]) -> TimeSpent:
    """What the cases say: of every split, as a label for validation is work, too."""
    known = list(cases)
    annotated = sorted((case for case in known if case.is_reviewed), key=lambda case: (case.annotated, case.id))
    timed = [case for case in annotated if case.seconds_spent > 0]
    return TimeSpent(
        tuple(case.seconds_spent for case in timed),
        tuple(case.state == DRAWN for case in timed),
        len(annotated) - len(timed),
        sum(case.unseen for case in known),
    )
