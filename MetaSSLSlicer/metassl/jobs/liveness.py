"""Where a job stands: what it said last, and whether its process still lives."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from metassl.files.errors import ErrorCode
from metassl.project.rounds import Round
from metassl.project.words import duration

from .fold import StatusFold, last_events, status_of_events
from .process import process_started
from .record import JobRecord
from .standing import standing_of
from .status import JobStatus, seconds_between

_QUIET_S = 600.0
_LOG_BYTES = 8192
_LAST_WORDS = ("paused", "failed", "finished")


def last_status(found: Round) -> JobStatus:
    """What the job of a round said last; of one without status.json, by an older version, what its events come to."""
    return JobStatus.read(found.status_path) or status_of_events(found.events_path)


def job_status(found: Round, patient: bool = True) -> JobStatus:
    """Where the job of a round stands now: what it said last, and whether its own process still lives.

    Of a job on another machine that machine is asked, now and then; where not `patient`, nobody waits for the answer.
    """
    record = JobRecord.read(found.job_path)
    alive = record is not None and record.alive()  # first: what the process wrote before it ended is then read
    status = last_status(found)
    if record is None:
        gone = status.state == "running" and process_started(status.pid or 0) is None
        return _interrupted(found, status) if gone else status
    if record.is_local and not alive and (not status.is_over or _is_silent(status, record)):
        status = _with_last_words(found, status)
    status = replace(status, pid=record.pid, host=record.host, device=status.device or record.device)
    status.machine, silent = record.machine, _is_silent(status, record)
    if record.job:
        return _on_machine(found, status, record, patient)
    if not record.is_local:
        return _elsewhere(status, record, silent)
    if alive:
        if silent:
            status = replace(status, state="running", stage="", code="", message="", hint="")
        if status.state == "running":
            status.elapsed_s += 0.0 if silent else seconds_between(status.time, _now())
        return status
    if silent and (said := _last_line(found.log_path, record.log_start)):
        code = (
            ErrorCode.MISSING_PACKAGE.value if said.partition(":")[0] in ("ImportError", "ModuleNotFoundError") else ""
        )
        return replace(status, state="failed", code=code, message=said, hint=f"see {found.log_path}")
    if status.is_over and not silent:
        return status
    unwatched = f"nobody here follows the training on {record.machine} any more, which may go on there"
    return _interrupted(found, status, unwatched if record.machine else "")


def _is_silent(status: JobStatus, record: JobRecord) -> bool:
    """Whether all that the job said is older than the process."""
    if record.after is not None:
        return status.seq <= record.after
    return not status.time or status.time < record.launched


def _with_last_words(found: Round, status: JobStatus) -> JobStatus:
    """With what the job told after its last status: on a full disk a line may fit where a file does not."""
    return StatusFold(status).update(event for event in last_events(found.events_path) if event.seq > status.seq)


def _elsewhere(status: JobStatus, record: JobRecord, silent: bool) -> JobStatus:
    if silent:
        status.state = "running"
    if status.state == "running":
        quiet = seconds_between(record.launched if silent else status.time, _now())
        if quiet > _QUIET_S:
            warning = f"no news from {record.host} for {duration(quiet)}; look there whether it runs"
            status.warnings = [*status.warnings, warning]
    return status


def _on_machine(found: Round, status: JobStatus, record: JobRecord, patient: bool) -> JobStatus:
    if status.state in _LAST_WORDS and not _is_silent(status, record):
        return status
    standing = standing_of(record, found, patient)
    said = last_status(found)  # what the job has written, or a launcher has fetched, while the machine was asked
    if standing.state == "ended":
        said = _with_last_words(found, said)
    status = replace(
        said, pid=status.pid, host=status.host, device=said.device or status.device, machine=status.machine
    )
    silent = _is_silent(status, record)
    if status.state in _LAST_WORDS and not silent:
        return status
    if silent:
        status = replace(status, code="", message="", hint="")
    if standing.state == "ended":
        last = _last_line(found.log_path, record.log_start) if silent else ""
        reason = f"the job {record.job} on {record.machine} {standing.reason}"
        return _interrupted(found, replace(status, queue=""), f"{reason}: {last}" if last else reason)
    has_begun = status.state == "running" and not silent and status.time >= standing.asked
    if standing.state == "queued" and not has_begun:
        return replace(status, state="queued", queue=standing.reason, eta_s=None)
    if standing.state == "unknown":
        warning = f"{record.machine} does not say how the job stands: {standing.reason}"
        status.warnings = [*status.warnings, warning]
        return replace(status, state="queued", stage="") if silent else status
    if silent or status.state == "queued":  # it has begun, and has not said so yet
        return replace(status, state="running", stage="", queue="")
    return status


def _interrupted(found: Round, status: JobStatus, message: str = "") -> JobStatus:
    return replace(
        status,
        state="interrupted",
        eta_s=None,
        code="",
        message=message or "the job's process ended without a word: killed, or out of memory?",
        hint=f"`metassl train {found.project_path}` goes on from the last checkpoint",
    )


def _last_line(path: Path, start: int) -> str:
    """The last line after the first `start` bytes; "" when there is none."""
    try:
        with open(path, "rb") as stream:
            stream.seek(max(path.stat().st_size - _LOG_BYTES, start, 0))
            lines = stream.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _now() -> str:
    return datetime.now(timezone.utc).isoformat()
