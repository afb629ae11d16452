"""Writes the open, unsaved segmentation to the autosave soon after each edit."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from ..Scene.BackgroundTasks import BackgroundTasks

QUIET_S = 0.4
LONGEST_S = 2.0


class Autosave:
    """Counts edits, and has them written: after a short quiet, or now and then while edits go on.

    `takeSnapshot()` is called on the GUI thread and must be quick; `write(snapshot)` and `remove()` run in a task.
    `failed(error)` is called on the GUI thread.
    """

    def __init__(
        self,
        tasks: BackgroundTasks,
        takeSnapshot: Callable[[], Any],
        write: Callable[[Any], None],
        remove: Callable[[], None],
        failed: Callable[[Exception], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tasks, self._takeSnapshot, self._write, self._remove = tasks, takeSnapshot, write, remove
        self._failed, self._clock = failed, clock
        self.revision = 0
        """How many edits there were."""
        self._kept = 0  # the newest edit that is in the autosave, or in a saved label
        self._firstEdit = self._lastEdit = 0.0
        self.pending: Future | None = None
        """The write that is under way."""

    @property
    def isDirty(self) -> bool:
        """True when an edit is in no file yet."""
        return self.revision > self._kept

    def touch(self) -> None:
        now = self._clock()
        if not self.isDirty:
            self._firstEdit = now
        self._lastEdit = now
        self.revision += 1

    def tick(self) -> None:
        """Write if it is time to. Call it a few times a second."""
        now = self._clock()
        if self.isDirty and (now - self._lastEdit >= QUIET_S or now - self._firstEdit >= LONGEST_S):
            self.flush()

    def flush(self) -> Future | None:
        """Begin to write what is in no file yet; returns the write that is then under way, if any."""
        if self.pending is None and self.isDirty:
            self._begin(self.snapshot(), self.revision)
        return self.pending

    def snapshot(self) -> Any:
        """The segmentation as it is now, or as it was when `finish` was called."""
        return self._takeSnapshot()

    def finish(self) -> Future | None:
        """The last call while there is a segmentation: begin to write what is in no file yet, after any other write.

        Returns the write that is then under way. If it fails, `tick` tries it again.
        """
        if self.isDirty or self.pending is not None:
            self._keepSnapshot()
        if self.isDirty:
            self._begin(self.snapshot(), self.revision)
        return self.pending

    def finishNow(self) -> None:
        """As `finish`, and return when it is on the disk, or raise what went wrong. For when the scene closes."""
        hasFailed = self.pending is not None and self.pending.exception() is not None
        if self.isDirty or hasFailed:
            revision = self.revision
            self._keepSnapshot()
            self._write(self.snapshot())
            self._kept = revision

    def labelSaved(self, revision: int) -> None:
        """The label of that revision was accepted: its autosave goes, unless there was an edit since."""
        if revision < self.revision:
            return
        self._kept = self.revision
        self._run(self._remove)

    def _keepSnapshot(self) -> None:
        snapshot = self._takeSnapshot()
        self._takeSnapshot = lambda: snapshot

    def _begin(self, snapshot: Any, revision: int) -> None:
        self._kept = revision
        self._run(lambda: self._write(snapshot))

    def _run(self, work: Callable[[], None]) -> None:
        before = self.pending

        def inTurn() -> None:
            if before is not None:
                before.exception()
            work()

        def over(_: Any = None) -> None:
            if self.pending is future:
                self.pending = None

        def failed(error: Exception) -> None:
            over()
            self._notWritten(error)

        future = self._tasks.run(inTurn, over, failed)
        self.pending = future

    def _notWritten(self, error: Exception) -> None:
        self._kept = min(self._kept, self.revision - 1)  # tried again at the next quiet moment
        self._firstEdit = self._lastEdit = self._clock() + 10.0
        self._failed(error)
