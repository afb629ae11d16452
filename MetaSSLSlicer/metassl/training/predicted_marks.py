"""The project's list of cases is told of predictions now and then, not after each: it is read and written whole."""

from __future__ import annotations

import time
from collections.abc import Callable

from metassl.project.project import Project

MARKING_SHARE = 0.1
"""Of the time of predicting: every time, all cases are read and written."""

LONGEST_UNMARKED_SECONDS = 10.0


class PredictedMarks:
    """Marks cases as predicted, and then tells so: the first at once, others some at a time where it takes long."""

    def __init__(self, project: Project, emit: Callable[..., object]):
        self.project, self.emit = project, emit
        self._waiting: dict[str, dict | None] = {}
        self._due = 0.0

    def add(self, case_id: str, uncertainty: dict | None) -> None:
        self._waiting[case_id] = uncertainty
        if time.monotonic() >= self._due:
            self.write()

    def write(self) -> None:
        waiting, self._waiting = self._waiting, {}
        if not waiting:
            return
        begin = time.monotonic()
        self.project.mark_predicted(waiting)
        end = time.monotonic()
        self._due = end + min((end - begin) / MARKING_SHARE, LONGEST_UNMARKED_SECONDS)
        for case_id, uncertainty in waiting.items():
            self.emit("predicted", case=case_id, uncertainty=uncertainty)
