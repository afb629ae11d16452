"""Which case to predict next: what the networks say on the plan's grid ranks cases before any map is made of it.

The pass through the networks is kept, and the prediction takes it. What costs most of a large image, its maps on its
own grid, is then made first of the case that is worth most.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from metassl.choices.strategies import DEFAULT_STRATEGY
from metassl.data.preprocess import Prepared
from metassl.files.errors import MetaSSLError
from metassl.inference.model import TrainedModel
from metassl.inference.one_pass import fitting_pass
from metassl.inference.predictor import summarise_on_grid
from metassl.project.cases import Case
from metassl.project.effort.depth import tolerance_of
from metassl.selection.candidate import Candidate
from metassl.selection.rank import ordered
from metassl.training.job import Job
from metassl.training.passes import Passes

FIRST_SECONDS = 4.0
"""Before the first prediction. Calibration has looked at some cases by then."""

SHARE = 0.5
"""Of the time of each prediction, that is spent on looking at further cases after it."""

AHEAD = 256
"""Cases that were looked at and wait: more are not ranked again and again."""


class Screening:
    """Cases that wait to be predicted, in the order in which they are worth it as far as they have been looked at."""

    def __init__(self, job: Job, model: TrainedModel, passes: Passes, cases: Sequence[Case]) -> None:
        """cases: in the order in which they are looked at."""
        self._job, self._model, self._passes = job, model, passes
        self._waiting = {case.id: case for case in cases}
        self._seen: dict[str, Candidate] = {}
        self._order: list[str] = []
        self.looked_at = 0
        for case in cases:
            if case.id in passes:
                self._look_at(case)
        self._rank()

    def __len__(self) -> int:
        return len(self._waiting)

    def go_on(self, seconds: float) -> None:
        """Look at further cases for so long, while there is room for what was seen."""
        end = time.monotonic() + seconds
        found = self.looked_at
        for case in [case for case in self._waiting.values() if case.id not in self._seen]:
            if time.monotonic() >= end or self._passes.is_full or len(self._seen) >= AHEAD:
                break
            if self._job.stop_requested or self._job.gives_way:
                break
            self._look_at(case)
        if self.looked_at > found:
            self._rank()

    def take(self, wanted: str) -> Case:
        """The case that somebody waits for, if it is among them, else the one that is worth most."""
        begun = [case.id for case in self._waiting.values() if case.state == "in_progress"]
        for case_id in (wanted, *begun, *self._order, *self._waiting):
            if case_id in self._waiting:
                self._seen.pop(case_id, None)
                return self._waiting.pop(case_id)
        raise IndexError("no case is left")

    def _look_at(self, case: Case) -> None:
        job, model = self._job, self._model
        self.looked_at += 1
        self._seen[case.id] = Candidate(case.id)
        try:
            prepared: Prepared = job.reader.images.get(job.project.image_paths(case), model.plan, case.id)
            made = self._passes.peek(case.id)
            if made is None:
                sized = model.plan, model.device, job.tell_of_memory, model.point
                made = fitting_pass(model.networks, prepared.array, case.id, *sized)
                self._passes.keep(case.id, made)
            depth = tolerance_of(job.project)
            summary = summarise_on_grid(model, prepared, made, case.id, job.project.labels, depth)
        except MetaSSLError:
            return  # its prediction says why
        self._seen[case.id] = Candidate(case.id, summary)

    def _rank(self) -> None:
        strategy = self._job.project.settings.get("strategy", DEFAULT_STRATEGY)
        candidates = [each for each in self._seen.values() if each.summary.case]
        self._order = [each.case for each in ordered(candidates, self._job.round, strategy)]
