"""One round in a few figures, also when its events are a very long file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from metassl.files.errors import MetaSSLError
from metassl.project.project import Project
from metassl.project.rounds import Round

from .event_fields import parse_event
from .record import JobRecord
from .status import JobStatus, StatusFold

_CHUNK_BYTES = 1 << 20
_TOLD = ("started", "validation", "paused", "finished", "failed")


@dataclass
class RoundSummary:
    """What a list of rounds shows of one.

    `labels`: how many annotations it learnt from. `dice`: of the last validation, mean and for each structure.
    `state` as in JobStatus. `error_rates`: whether P(error | region) was measured.
    """

    number: int
    created: str = ""
    parent: int | None = None
    labels: int = 0
    dice: float | None = None
    dice_per_structure: dict[str, float | None] = field(default_factory=dict)
    device: str = ""
    seconds: float = 0.0
    state: str = "created"
    message: str = ""
    predicted: int = 0
    has_model: bool = False
    error_rates: bool = False

    def to_json(self) -> dict[str, Any]:
        """The summary as a JSON object."""
        return asdict(self)


def round_summaries(project: Project) -> list[RoundSummary]:
    """All rounds of a project, oldest first; one that is damaged says so in its `message`."""
    return [summarise_round(found) for found in project.rounds()]


def summarise_round(found: Round) -> RoundSummary:
    """One round. Reads its record and, of its events, only those that matter here."""
    summary = RoundSummary(found.number)
    try:
        record = found.record
        status = _status(found)
        dice = (status.validation or {}).get("dice") or {}
        summary.created = str(record.get("created", ""))
        summary.parent = record.get("parent")
        summary.labels = len(record.get("labels") or {})
        summary.dice = dice.get("mean")
        summary.dice_per_structure = dice.get("per_class") or {}
        summary.device = status.device_name or status.device
        summary.seconds = status.elapsed_s
        summary.state, summary.message = status.state, status.message
    except (MetaSSLError, AttributeError) as error:
        summary.state, summary.message = "failed", str(error)
    summary.predicted = len(found.predicted_cases())
    summary.has_model = found.model_path.exists()
    summary.error_rates = found.error_rates_path.exists()
    return summary


def find_events(path: Path, kinds: tuple[str, ...]) -> list[dict[str, Any]]:
    """The events of these kinds in the order of the file; the others are not parsed.

    With each "started" comes the event before it, and the last event of the file is always there: from these
    StatusFold tells how long the job worked.
    """
    found, before, last = [], b"", b""
    for chunk in _whole_lines(path):
        for start, end in _hits(chunk, kinds):
            line = chunk[start:end]
            if b'"event": "started"' in line:
                former = chunk[:start].rstrip(b"\n")
                found.append(former[former.rfind(b"\n") + 1 :] or before)
            found.append(line)
        body = chunk.rstrip(b"\n")
        before = last = body[body.rfind(b"\n") + 1 :] or last
    events = [event for line in dict.fromkeys((*found, last)) if (event := parse_event(line)) is not None]
    return sorted(events, key=lambda event: event["seq"])


def _hits(chunk: bytes, kinds: tuple[str, ...]) -> list[tuple[int, int]]:
    """Start and end of the lines that look like events of these kinds."""
    lines = set()
    for kind in kinds:
        mark = f'"event": "{kind}"'.encode()
        place = chunk.find(mark)
        while place >= 0:
            end = chunk.find(b"\n", place)
            lines.add((chunk.rfind(b"\n", 0, place) + 1, end))
            place = chunk.find(mark, end)
    return sorted(lines)


def _whole_lines(path: Path) -> Iterator[bytes]:
    """The file in pieces that end with a newline; a torn last line is left out."""
    rest = b""
    try:
        with open(path, "rb") as stream:
            while data := stream.read(_CHUNK_BYTES):
                data = rest + data
                cut = data.rfind(b"\n") + 1
                rest = data[cut:]
                if cut:
                    yield data[:cut]
    except OSError:
        return


def _status(found: Round) -> JobStatus:
    status = StatusFold().update(find_events(found.events_path, _TOLD))
    record = JobRecord.read(found.job_path)
    if status.state in ("running", "created") and record is not None and record.is_local:
        status.state = "running" if record.alive() else "interrupted"
    return status
