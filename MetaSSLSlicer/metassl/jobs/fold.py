"""Events made into a status: by the job as it tells them, and once for a round of a version that wrote no status."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from .events import Event, EventReader
from .status import JobStatus, Validation, seconds_between

_LAST_BYTES = 64 << 10
_PROGRESS = b'"event": "progress"'


class StatusFold:
    """Takes in events, in order, on top of a status. It knows nothing of processes."""

    def __init__(self, status: JobStatus | None = None) -> None:
        self.status = JobStatus() if status is None else status
        self._predicted: set[str] = set()
        self._predicted_before = self.status.predicted
        self._at_stage = self.status.step if self.status.stage == "predicting" else 0

    def update(self, events: Iterable[Event]) -> JobStatus:
        """Take in more events and return the status; unknown ones change nothing but its time."""
        for event in events:
            if event.event != "started":  # before that the job rested
                self.status.elapsed_s += seconds_between(self.status.time, event.time)
            if (handler := getattr(self, f"_on_{event.event}", None)) is not None:
                handler(self.status, event)
            self.status.time = event.time or self.status.time
            self.status.seq = event.seq
        return self.status

    def beat(self, time: str) -> None:
        """The job is still at work at this time."""
        self.status.elapsed_s += seconds_between(self.status.time, time)
        self.status.time = time

    @staticmethod
    def _on_started(status: JobStatus, event: Event) -> None:
        status.state, status.stage, status.eta_s, status.queue = "running", "", None, ""
        status.code = status.message = status.hint = ""
        _take(status, event, "device", "device_name", "precision", "pid")

    @staticmethod
    def _at_work(status: JobStatus) -> None:
        """Work after an end: it was started again. Work at the very beginning: its start is missing."""
        if status.is_over or status.state == "created":
            status.state, status.code, status.message, status.hint = "running", "", "", ""

    def _on_stage(self, status: JobStatus, event: Event) -> None:
        self._at_work(status)
        status.stage, status.step, status.total, status.eta_s = event.stage, 0, event.total or 0, None
        self._at_stage = 0

    @staticmethod
    def _on_plan(status: JobStatus, event: Event) -> None:
        status.plan = {k: v for k, v in event.to_json().items() if k not in ("seq", "time", "event")}

    def _on_progress(self, status: JobStatus, event: Event) -> None:
        self._at_work(status)
        _take(status, event, "stage", "step", "total", "loss", "regions", "data_wait_share", "memory_mb")
        status.eta_s = event.eta_s

    @staticmethod
    def _on_validation(status: JobStatus, event: Event) -> None:
        status.validation = Validation(step=event.step, dice=event.dice, cases=event.cases)

    @staticmethod
    def _on_warning(status: JobStatus, event: Event) -> None:
        if event.message and event.message not in status.warnings:
            status.warnings.append(event.message)

    _on_memory = _on_warning

    @staticmethod
    def _on_case_failed(status: JobStatus, event: Event) -> None:
        status.failed_cases[event.case] = event.reason

    def _on_predicted(self, status: JobStatus, event: Event) -> None:
        self._predicted.add(event.case)
        status.failed_cases.pop(event.case, None)
        status.predicted = self._predicted_before + len(self._predicted)
        if status.stage == "predicting":
            self._at_stage += 1
            status.step = max(status.step, self._at_stage)

    @staticmethod
    def _on_ranked(status: JobStatus, event: Event) -> None:
        status.ranked = event.count

    @staticmethod
    def _on_paused(status: JobStatus, event: Event) -> None:
        status.state, status.eta_s = "paused", None
        if status.stage != "training":  # the step is one of training
            status.total = 0
        _take(status, event, "step")

    @staticmethod
    def _on_requeued(status: JobStatus, event: Event) -> None:
        """Its machine has asked it to leave, and starts it again."""
        status.state, status.eta_s, status.queue = "queued", None, event.message

    @staticmethod
    def _on_finished(status: JobStatus, event: Event) -> None:
        status.state, status.eta_s = "finished", None

    @staticmethod
    def _on_failed(status: JobStatus, event: Event) -> None:
        status.state, status.eta_s = "failed", None
        _take(status, event, "code", "message", "hint")


def _take(status: JobStatus, event: Event, *names: str) -> None:
    for name in names:
        if (value := getattr(event, name)) not in (None, ""):
            setattr(status, name, value)


def status_of_events(path: Path) -> JobStatus:
    """What the events in a file come to."""
    return fold_of_events(path).status


def fold_of_events(path: Path) -> StatusFold:
    """The same, ready to take in more of them."""
    fold = StatusFold()
    fold.update(_telling(path))
    return fold


def last_events(path: Path) -> list[Event]:
    """Those at the end of a file."""
    reader = EventReader(path)
    reader.skip_middle(_LAST_BYTES)
    return reader.read_new()


def _telling(path: Path) -> Iterator[Event]:
    """The events in a file, but of progress that more follows only the last: of weeks, there may be a million."""
    waiting = b""
    try:
        with open(path, "rb") as stream:
            for line in stream:
                if _PROGRESS not in line:
                    yield from _parsed(waiting, line)
                waiting = line if _PROGRESS in line else b""
    except OSError:
        pass
    yield from _parsed(waiting)


def _parsed(*lines: bytes) -> Iterator[Event]:
    for line in lines:
        if line.endswith(b"\n") and (event := Event.parse(line)) is not None:
            yield event
