"""Steps whose loss or gradient is not finite. They have changed no weight when they are told of."""

from __future__ import annotations

from collections.abc import Callable

import torch

from metassl.data.streams import Batch
from metassl.files.errors import ErrorCode, MetaSSLError

BAD_STEPS_IN_A_ROW = 5


class Refusals:
    """Notes of every step whether it was finite, and looks at the notes when it is asked to.

    A note stays on the device: to look at it waits for all that the device has still to do. So on a GPU several steps
    are looked at together. emit(event, **fields) tells of those that were not finite.
    """

    def __init__(self, emit: Callable[..., object]) -> None:
        self.emit, self.in_a_row = emit, 0
        self._notes: list[tuple[int, str, torch.Tensor]] = []

    def note(self, step: int, batch: Batch, finite: torch.Tensor) -> None:
        """finite: bool, a single value."""
        cases = ", ".join(dict.fromkeys(batch.labelled_cases + batch.unlabelled_cases))
        self._notes.append((step, cases, finite.reshape(())))

    def look(self) -> None:
        """Raises MetaSSLError once too many steps in a row were not finite."""
        if not self._notes:
            return
        finite = torch.stack([note for _step, _cases, note in self._notes]).tolist()
        noted, self._notes = self._notes, []
        for (step, cases, _note), was_finite in zip(noted, finite, strict=True):
            self.in_a_row = 0 if was_finite else self.in_a_row + 1
            if not was_finite:
                self._tell(step, cases)

    def _tell(self, step: int, cases: str) -> None:
        message = f"step {step}: the loss is not finite on the cases {cases}; the step was skipped"
        self.emit("warning", message=message)
        if self.in_a_row >= BAD_STEPS_IN_A_ROW:
            raise MetaSSLError(
                f"the loss was not finite {self.in_a_row} steps in a row (last on the cases {cases}); the "
                "checkpoint before it is kept: check these images and labels, then train a new round",
                ErrorCode.NOT_FINITE,
            )
