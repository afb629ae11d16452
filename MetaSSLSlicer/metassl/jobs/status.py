"""Where a job stands, by its events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

RECAP = "recap"
"""The event that tells all that was told before it; see recap.py."""
_TURNS = (RECAP, "started", "stage", "progress", "validation", "paused", "finished", "failed")
"""Events of which a later one outweighs an earlier one, whichever is read first."""


@dataclass
class JobStatus:
    """Where a job stands now.

    `state`: created, running, paused, failed, finished or interrupted (its process is gone without
    a word). `step` of `total` in `stage`; `eta_s`, `elapsed_s` in seconds; `loss`, `validation` and
    `regions` as last reported; `predicted` counts cases, `failed_cases` says why others failed.
    `message` is what went wrong, `code` of which kind that is (an ErrorCode's value), and `hint` what to do.
    """

    state: str = "created"
    stage: str = ""
    step: int = 0
    total: int = 0
    eta_s: float | None = None
    device: str = ""
    device_name: str = ""
    precision: str = ""
    pid: int | None = None
    host: str = ""
    elapsed_s: float = 0.0
    loss: dict[str, float | None] = field(default_factory=dict)
    regions: dict[str, float | None] = field(default_factory=dict)
    validation: dict[str, Any] | None = None
    plan: dict[str, Any] = field(default_factory=dict)
    data_wait_share: float | None = None
    memory_mb: float | None = None
    predicted: int = 0
    ranked: int | None = None
    failed_cases: dict[str, str] = field(default_factory=dict)
    message: str = ""
    hint: str = ""
    code: str = ""
    warnings: list[str] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """True when nothing more will come unless the job is started again."""
        return self.state in ("paused", "failed", "finished", "interrupted")

    def to_json(self) -> dict[str, Any]:
        """The status as a JSON object."""
        return asdict(self)


class StatusFold:
    """Folds events, as they come, into a status. It knows nothing of processes."""

    def __init__(self) -> None:
        self.status = JobStatus()
        self.last_time = ""
        self.last_number = self._turn = 0
        self._run_started = ""
        self._former_s = 0.0
        self._predicted: set[str] = set()
        self._at_stage = 0

    def update(self, events: Iterable[dict[str, Any]]) -> JobStatus:
        """Take in more events, in order, and return the status; unknown events change nothing.

        One that comes after another with a higher number can only add to a list or a count.
        """
        for event in events:
            handler = getattr(self, f"_on_{event['event']}", None)
            if event["event"] in _TURNS and event["seq"] < self._turn:
                if event["event"] == "started" and not self._run_started:
                    self._run_started = event.get("time", "")
                    _take(self.status, event, "device", "device_name", "precision", "pid")
                continue
            if handler is not None:
                handler(self.status, event)
            if event["event"] in _TURNS:
                self._turn = event["seq"]
            if event["seq"] < self.last_number:
                continue
            self.last_number = event["seq"]
            if event["event"] != RECAP:
                self.last_time = event.get("time", self.last_time)
        self.status.elapsed_s = self._former_s + seconds_between(self._run_started, self.last_time)
        return self.status

    def recap(self) -> dict[str, Any]:
        """All that the events came to, as the fields of an event: a fold that begins with it goes on just like this."""
        return {
            "status": self.status.to_json(),
            "last_time": self.last_time,
            "run_started": self._run_started,
            "former_s": self._former_s,
            "predicted_cases": sorted(self._predicted),
            "at_stage": self._at_stage,
        }

    def elapsed_s(self, time: str) -> float:
        """The seconds that the job worked until `time`, pauses left out."""
        return self._former_s + seconds_between(self._run_started, time)

    def _on_recap(self, status: JobStatus, event: dict[str, Any]) -> None:
        told = event.get("status")
        if not isinstance(told, dict):
            return
        self.status = JobStatus(**{each.name: told[each.name] for each in fields(JobStatus) if each.name in told})
        self.last_time = event.get("last_time", self.last_time)
        self._run_started = event.get("run_started", "")
        self._former_s = event.get("former_s", 0.0)
        self._predicted = set(event.get("predicted_cases", ()))
        self._at_stage = event.get("at_stage", 0)

    def _on_started(self, status: JobStatus, event: dict[str, Any]) -> None:
        self._former_s += seconds_between(self._run_started, self.last_time)
        self._run_started = event.get("time", "")
        status.state, status.stage, status.message, status.hint, status.code = "running", "", "", "", ""
        status.eta_s = None
        _take(status, event, "device", "device_name", "precision", "pid")

    @staticmethod
    def _at_work(status: JobStatus) -> None:
        """Work after an end: it was started again. Work at the very beginning: its start comes late."""
        if status.is_over or status.state == "created":
            status.state, status.message, status.hint, status.code = "running", "", "", ""

    def _on_stage(self, status: JobStatus, event: dict[str, Any]) -> None:
        self._at_work(status)
        status.stage = str(event.get("stage", ""))
        status.step, status.total, status.eta_s = 0, int(event.get("total") or 0), None
        self._at_stage = 0

    def _on_plan(self, status: JobStatus, event: dict[str, Any]) -> None:
        status.plan = {k: v for k, v in event.items() if k not in ("seq", "time", "event")}

    def _on_progress(self, status: JobStatus, event: dict[str, Any]) -> None:
        self._at_work(status)
        _take(status, event, "stage", "step", "total", "loss", "regions")
        _take(status, event, "data_wait_share", "memory_mb")
        status.eta_s = event.get("eta_s")

    def _on_validation(self, status: JobStatus, event: dict[str, Any]) -> None:
        dice = event.get("dice")
        status.validation = {"step": event.get("step"), "dice": dice, "cases": event.get("cases")}

    def _on_warning(self, status: JobStatus, event: dict[str, Any]) -> None:
        message = str(event.get("message", ""))
        if message and message not in status.warnings:
            status.warnings.append(message)

    _on_memory = _on_warning

    def _on_case_failed(self, status: JobStatus, event: dict[str, Any]) -> None:
        status.failed_cases[str(event.get("case", ""))] = str(event.get("reason", ""))

    def _on_predicted(self, status: JobStatus, event: dict[str, Any]) -> None:
        case = str(event.get("case", ""))
        self._predicted.add(case)
        status.failed_cases.pop(case, None)
        status.predicted = len(self._predicted)
        if status.stage == "predicting":
            self._at_stage += 1
            status.step = max(status.step, self._at_stage)

    def _on_ranked(self, status: JobStatus, event: dict[str, Any]) -> None:
        _take(status, event, ("count", "ranked"))

    def _on_paused(self, status: JobStatus, event: dict[str, Any]) -> None:
        status.state, status.eta_s = "paused", None
        if status.stage != "training":  # the step is one of training
            status.total = 0
        _take(status, event, "step")

    def _on_finished(self, status: JobStatus, event: dict[str, Any]) -> None:
        status.state, status.eta_s = "finished", None

    def _on_failed(self, status: JobStatus, event: dict[str, Any]) -> None:
        status.state, status.eta_s = "failed", None
        _take(status, event, "message", "hint", "code")


def _take(status: JobStatus, event: dict[str, Any], *names: str | tuple[str, str]) -> None:
    for name in names:
        source, target = name if isinstance(name, tuple) else (name, name)
        if event.get(source) is not None:
            setattr(status, target, event[source])


def seconds_between(start: str, end: str) -> float:
    """From one ISO 8601 time to another; 0 where they cannot be read, and never less."""
    try:
        elapsed = datetime.fromisoformat(end) - datetime.fromisoformat(start)
    except (TypeError, ValueError):
        return 0.0
    return max(elapsed.total_seconds(), 0.0)
