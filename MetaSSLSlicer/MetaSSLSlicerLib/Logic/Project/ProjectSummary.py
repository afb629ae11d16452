"""How far a project is, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

from metassl.project import Project
from metassl.project.words import plural

from ...Translation import _


@dataclass(frozen=True)
class ProjectSummary:
    """Numbers of cases. `toLabel` to `rejected` are those to train on that have no label, by their state."""

    cases: int
    labelled: int
    toLabel: int
    inProgress: int
    toReview: int
    rejected: int
    measured: int
    test: int

    @staticmethod
    def read(project: Project) -> ProjectSummary:
        """Count, for a thread. Raises ProjectError."""
        cases = list(project.cases.values())
        pool = [case for case in cases if case.split == "pool"]
        waiting = [case.state for case in pool if not case.is_labelled]
        return ProjectSummary(
            cases=len(cases),
            labelled=len(pool) - len(waiting),
            toLabel=sum(state not in ("in_progress", "predicted", "rejected") for state in waiting),
            inProgress=waiting.count("in_progress"),
            toReview=waiting.count("predicted"),
            rejected=waiting.count("rejected"),
            measured=sum(case.split == "validation" for case in cases),
            test=sum(case.split == "test" for case in cases),
        )

    @property
    def text(self) -> str:
        """ "24 cases: 3 labelled, 13 without a label, 2 to measure with"; what is zero is left out."""
        parts = [
            (self.labelled, _("{number} labelled")),
            (self.toReview, _("{number} to review")),
            (self.inProgress, _("{number} begun")),
            (self.rejected, _("{number} rejected")),
            (self.toLabel, _("{number} without a label")),
            (self.measured, _("{number} to measure with")),
            (self.test, _("{number} kept for a test")),
        ]
        counts = ", ".join(text.format(number=number) for number, text in parts if number)
        total = plural(self.cases, _("1 case"), _("{count} cases"))
        return f"{total}: {counts}" if counts else total
