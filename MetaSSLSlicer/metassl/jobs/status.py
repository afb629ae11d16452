"""Where a job stands: its events, folded, and whether its process still lives."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..project.rounds import Round
from .events import EventReader
from .process import process_started
from .record import JobRecord

RECAP = "recap"
"""The event that tells all that was told before it; see recap.py."""
_HEAD_BYTES = 64 << 10
_TAIL_BYTES = 512 << 10
_TURNS = (RECAP, "started", "stage", "progress", "validation", "paused", "finished", "failed")
"""Events of which a later one outweighs an earlier one, whichever is read first."""
_QUIET_S = 600.0
_LOG_BYTES = 8192


@dataclass
class JobStatus:
    """Where a job stands now.

    `state`: created, running, paused, failed, finished or interrupted (its process is gone without
    a word). `step` of `total` in `stage`; `eta_s`, `elapsed_s` in seconds; `loss`, `validation` and
    `regions` as last reported; `predicted` counts cases, `failed_cases` says why others failed.
    `message` is what went wrong and `hint` what to do.
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
        self.status.elapsed_s = self._former_s + _seconds(self._run_started, self.last_time)
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

    def go_back_to(self, number: int) -> None:
        """The file lost its end, as in a power loss, and goes on with events from `number` on."""
        self.last_number = min(self.last_number, number - 1)
        self._turn = min(self._turn, number - 1)

    def elapsed_s(self, time: str) -> float:
        """The seconds that the job worked until `time`, pauses left out."""
        return self._former_s + _seconds(self._run_started, time)

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
        self._former_s += _seconds(self._run_started, self.last_time)
        self._run_started = event.get("time", "")
        status.state, status.stage, status.message, status.hint = "running", "", "", ""
        status.eta_s = None
        _take(status, event, "device", "device_name", "precision", "pid")

    @staticmethod
    def _at_work(status: JobStatus) -> None:
        """Work after an end: it was started again. Work at the very beginning: its start comes late."""
        if status.is_over or status.state == "created":
            status.state, status.message, status.hint = "running", "", ""

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
        status.validation = {"step": event.get("step"), "dice": dice}

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
        _take(status, event, "step")

    def _on_finished(self, status: JobStatus, event: dict[str, Any]) -> None:
        status.state, status.eta_s = "finished", None

    def _on_failed(self, status: JobStatus, event: dict[str, Any]) -> None:
        status.state, status.eta_s = "failed", None
        _take(status, event, "message", "hint")


class JobFollower:
    """Follows a job from any process: call `poll` now and then."""

    def __init__(self, round: Round) -> None:
        self.round = round
        self._reader = EventReader(round.events_path)
        self._fold = StatusFold()

    def poll(self, limit_bytes: int | None = None) -> tuple[list[dict[str, Any]], JobStatus]:
        """The events since the last call, and the status now. Returns at once."""
        process = self._process()
        events = self._reader.read_new(limit_bytes)
        return events, self._told(events, *process)

    def attach(self) -> tuple[list[dict[str, Any]], JobStatus]:
        """The first poll of a job that may have run for weeks: its first and last events, and the status, exactly.

        Takes as long as the way back to the last recap: moments, whatever the length of the file.
        """
        process = self._process()
        events = self._reader.read_new(_HEAD_BYTES)
        self._reader.skip_to_last(RECAP, _TAIL_BYTES)
        events += self._reader.read_new()
        return events, self._told(events, *process)

    def _process(self) -> tuple[JobRecord | None, bool]:
        """To be called before the events are read: what the process wrote before it ended is then among them."""
        record = JobRecord.read(self.round.job_path)
        return record, record is not None and record.alive()

    def _told(self, events: list[dict[str, Any]], record: JobRecord | None, alive: bool) -> JobStatus:
        if self._reader.began_anew and events:
            self._fold.go_back_to(events[0]["seq"])
        folded = self._fold.update(events)
        status = replace(
            folded, warnings=list(folded.warnings), failed_cases=dict(folded.failed_cases)
        )
        if record is not None:
            status.pid, status.host = record.pid, record.host
            status.device = status.device or record.device
            self._judge(status, record, alive)
        elif status.state == "running" and process_started(status.pid or 0) is None:
            self._interrupted(status)
        return status

    def _judge(self, status: JobStatus, record: JobRecord, alive: bool) -> None:
        """Set the state by what the process does."""
        silent = self._is_silent(record)
        if not record.is_local:
            self._elsewhere(status, record, silent)
        elif alive:
            if silent:
                status.state, status.stage, status.message, status.hint = "running", "", "", ""
            if status.state == "running":
                status.elapsed_s = self._fold.elapsed_s(datetime.now(UTC).isoformat())
        elif silent and (said := _last_line(self.round.log_path, record.log_start)):
            status.state, status.message = "failed", said
            status.hint = f"see {self.round.log_path}"
        elif silent or status.state in ("running", "created"):
            self._interrupted(status)

    def _is_silent(self, record: JobRecord) -> bool:
        """Whether all events so far are older than the process."""
        if record.after is not None:
            return self._fold.last_number <= record.after
        return not self._fold.last_time or self._fold.last_time < record.launched

    def _elsewhere(self, status: JobStatus, record: JobRecord, silent: bool) -> None:
        if silent:
            status.state = "running"
        if status.state != "running":
            return
        last = self._fold.last_time if not silent else record.launched
        quiet = _seconds(last, datetime.now(UTC).isoformat())
        if quiet > _QUIET_S:
            status.warnings.append(
                f"no news from {record.host} for {quiet / 60:.0f} min; look there whether it runs"
            )

    def _interrupted(self, status: JobStatus) -> None:
        project = self.round.project_path
        status.state, status.eta_s = "interrupted", None
        status.message = "the job's process ended without a word: killed, or out of memory?"
        status.hint = f"`metassl train {project}` goes on from the last checkpoint"


def job_status(round: Round) -> JobStatus:
    """Where the job of a round stands now."""
    return JobFollower(round).attach()[1]


def _take(status: JobStatus, event: dict[str, Any], *names: str | tuple[str, str]) -> None:
    for name in names:
        source, target = name if isinstance(name, tuple) else (name, name)
        if event.get(source) is not None:
            setattr(status, target, event[source])


def _seconds(start: str, end: str) -> float:
    try:
        elapsed = datetime.fromisoformat(end) - datetime.fromisoformat(start)
    except (TypeError, ValueError):
        return 0.0
    return max(elapsed.total_seconds(), 0.0)


def _last_line(path: Path, start: int) -> str:
    """The last line after the first `start` bytes; "" when there is none."""
    try:
        with open(path, "rb") as stream:
            stream.seek(max(path.stat().st_size - _LOG_BYTES, start, 0))
            lines = stream.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
