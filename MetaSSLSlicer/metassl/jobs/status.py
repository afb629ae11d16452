"""status.json: where a job stands now, as it says itself. Who wants to know reads this, and no history."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any, TypedDict

from metassl.files.errors import ProjectError
from metassl.files.json_files import read_json, write_json
from metassl.files.json_kinds import Kind, by_name, having, number, text, texts, whole

from .events import EVENT_KINDS, Dice


class Validation(TypedDict, total=False):
    """The last look at the validation cases: at which step, at how many of them."""

    step: int | None
    dice: Dice | None
    cases: int | None


@dataclass
class JobStatus:
    """Where a job stands now.

    `state`: created, queued (on `machine`, `queue` says why it waits; of a job that was put back, `step` is where it
    goes on), running, paused, failed, finished or interrupted (its process is gone without a word). `step` of `total`
    in `stage`; `eta_s`, `elapsed_s` in seconds; `loss`, `validation` and
    `regions` as last reported; `predicted` counts cases, `failed_cases` says why others failed.
    `message` is what went wrong, `code` of which kind that is (an ErrorCode's value), and `hint` what to do. `time`
    (ISO 8601) is when the job said so, and `seq` the number of the last event that is in it.
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
    machine: str = ""
    queue: str = ""
    elapsed_s: float = 0.0
    loss: dict[str, float | None] = field(default_factory=dict)
    regions: dict[str, float | None] = field(default_factory=dict)
    validation: Validation | None = None
    plan: dict[str, Any] = field(default_factory=dict)
    data_wait_share: float | None = None
    memory_mb: float | None = None
    predicted: int = 0
    ranked: int | None = None
    failed_cases: dict[str, str] = field(default_factory=dict)
    code: str = ""
    message: str = ""
    hint: str = ""
    warnings: list[str] = field(default_factory=list)
    time: str = ""
    seq: int = 0

    @property
    def is_going_on(self) -> bool:
        """True while it is at work, or waits until a machine has room for it."""
        return self.state in ("running", "queued")

    @property
    def is_over(self) -> bool:
        """True when nothing more will come unless the job is started again."""
        return self.state in ("paused", "failed", "finished", "interrupted")

    def to_json(self) -> dict[str, Any]:
        """The status as a JSON object."""
        return asdict(self)

    def write(self, path: Path) -> None:
        """Put it in the place of status.json. Not flushed to the disk: it is replaced in a second."""
        write_json(path, self.to_json(), durable=False)

    @staticmethod
    def read(path: Path) -> JobStatus | None:
        """What status.json says; None when there is none, or only a torn one as after a power loss. ProjectError."""
        try:
            document = read_json(path, "the status", _KINDS, "delete it")
        except ProjectError as error:
            if isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError, ValueError)):
                return None
            raise
        return JobStatus(**{name: document[name] for name in _KINDS if document.get(name) is not None})


_KINDS: dict[str, Kind] = {
    **{each.name: EVENT_KINDS[each.name] for each in fields(JobStatus) if each.name in EVENT_KINDS},
    **dict.fromkeys(("state", "host", "machine", "queue"), text),
    **dict.fromkeys(("predicted", "ranked"), whole),
    "elapsed_s": number,
    "validation": having(step=whole, dice=EVENT_KINDS["dice"], cases=whole),
    "plan": having(summary=text),
    "failed_cases": by_name(text),
    "warnings": texts,
}


def seconds_between(start: str, end: str) -> float:
    """From one ISO 8601 time to another; 0 where they cannot be read, and never less."""
    try:
        elapsed = datetime.fromisoformat(end) - datetime.fromisoformat(start)
    except (TypeError, ValueError):
        return 0.0
    return max(elapsed.total_seconds(), 0.0)
