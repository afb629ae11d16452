"""Following a job from any process: its events, and whether its own process still lives."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from metassl.project.rounds import Round
from metassl.project.words import duration

from .events import EventReader
from .process import process_started
from .record import JobRecord
from .status import RECAP, JobStatus, StatusFold, seconds_between

_HEAD_BYTES = 64 << 10
_TAIL_BYTES = 512 << 10
_QUIET_S = 600.0
_LOG_BYTES = 8192


class JobFollower:
    """Follows a job from any process: call `poll` now and then."""

    def __init__(self, round: Round) -> None:
        self.round = round
        self._reader = EventReader(round.events_path)
        self._fold = StatusFold()
        self._outdated = False

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
        events = _first_and_last(self._reader)
        return events, self._told(events, *process)

    def _process(self) -> tuple[JobRecord | None, bool]:
        """To be called before the events are read: what the process wrote before it ended is then among them."""
        record = JobRecord.read(self.round.job_path)
        return record, record is not None and record.alive()

    def _told(self, events: list[dict[str, Any]], record: JobRecord | None, alive: bool) -> JobStatus:
        self._outdated |= self._reader.disordered
        folded = self._fold.update(events)
        if self._outdated and (anew := self._folded_anew()) is not None:
            self._fold, self._outdated, folded = anew, False, anew.status
        status = replace(folded, warnings=list(folded.warnings), failed_cases=dict(folded.failed_cases))
        if record is not None:
            status.pid, status.host = record.pid, record.host
            status.device = status.device or record.device
            self._judge(status, record, alive)
        elif status.state == "running" and process_started(status.pid or 0) is None:
            self._interrupted(status)
        return status

    def _folded_anew(self) -> StatusFold | None:
        """All that was read so far, in order; None while less of it can be seen, as on a share for a moment."""
        reader, fold = EventReader(self.round.events_path), StatusFold()
        fold.update(_first_and_last(reader, self._reader.offset))
        whole = reader.offset >= self._reader.offset and reader.holes <= self._reader.holes
        return fold if whole else None

    def _judge(self, status: JobStatus, record: JobRecord, alive: bool) -> None:
        """Set the state by what the process does."""
        silent = self._is_silent(record)
        if not record.is_local:
            self._elsewhere(status, record, silent)
        elif alive:
            if silent:
                status.state, status.stage, status.message, status.hint = "running", "", "", ""
            if status.state == "running":
                status.elapsed_s = self._fold.elapsed_s(datetime.now(timezone.utc).isoformat())
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
        quiet = seconds_between(last, datetime.now(timezone.utc).isoformat())
        if quiet > _QUIET_S:
            status.warnings.append(f"no news from {record.host} for {duration(quiet)}; look there whether it runs")

    def _interrupted(self, status: JobStatus) -> None:
        project = self.round.project_path
        status.state, status.eta_s = "interrupted", None
        status.message = "the job's process ended without a word: killed, or out of memory?"
        status.hint = f"`metassl train {project}` goes on from the last checkpoint"


def _first_and_last(reader: EventReader, end: int | None = None) -> list[dict[str, Any]]:
    """The events at the beginning of a file and from the last recap on, up to the place `end`, which ends a line."""
    if end == 0:
        return []
    events = reader.read_new(_HEAD_BYTES if end is None else min(end, _HEAD_BYTES))
    reader.skip_to_last(RECAP, _TAIL_BYTES)
    if end is None:
        return events + reader.read_new()
    return events + (reader.read_new(end - reader.offset) if reader.offset < end else [])


def job_status(round: Round) -> JobStatus:
    """Where the job of a round stands now."""
    return JobFollower(round).attach()[1]


def _last_line(path: Path, start: int) -> str:
    """The last line after the first `start` bytes; "" when there is none."""
    try:
        with open(path, "rb") as stream:
            stream.seek(max(path.stat().st_size - _LOG_BYTES, start, 0))
            lines = stream.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
