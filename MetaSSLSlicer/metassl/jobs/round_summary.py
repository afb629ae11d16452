"""One round in a few figures."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from metassl.files.errors import MetaSSLError
from metassl.project.project import Project
from metassl.project.records import OperatingPoint
from metassl.project.round_files import read_operating_point
from metassl.project.rounds import Round, read_record

from .liveness import job_status


@dataclass
class RoundSummary:
    """What a list of rounds shows of one.

    `labels`: how many annotations it learnt from. `dice`: of the last validation, mean and for each structure.
    `state` as in JobStatus. `error_rates`: whether P(error | region) was measured. `operating_point`: None
    before it was chosen.
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
    operating_point: OperatingPoint | None = None

    def to_json(self) -> dict[str, Any]:
        """The summary as a JSON object."""
        return asdict(self)


def round_summaries(project: Project) -> list[RoundSummary]:
    """All rounds of a project, oldest first; one that is damaged says so in its `message`."""
    return [summarise_round(found) for found in project.rounds()]


def summarise_round(found: Round) -> RoundSummary:
    """One round, by its record and its status."""
    summary = RoundSummary(found.number)
    try:
        record = read_record(found.record_path, found.number)  # not kept: of many cases it is large
        status = job_status(found)
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
    try:
        summary.operating_point = read_operating_point(found)
    except MetaSSLError as error:  # whoever predicts goes by the model, not by this file
        summary.message = summary.message or str(error)
    return summary
