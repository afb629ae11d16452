"""What the report tells, gathered from the project folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from metassl.files.errors import MetaSSLError
from metassl.jobs.events import read_events
from metassl.jobs.liveness import job_status
from metassl.jobs.status import JobStatus
from metassl.project.cases import Case
from metassl.project.places.search import Place
from metassl.project.project import Project
from metassl.project.round_files import read_error_rates, read_ranking, read_summary
from metassl.project.rounds import Round
from metassl.project.words import count

from ..region_errors import REGIONS
from ..stored import told

_MEASURED_ON = {"validation_cases": "validation case", "corrected_cases": "reviewed case"}


@dataclass
class Content:
    """All that the sections show. `rates` is P(error) per region, None until it is measured.

    `measured` is the round's error_rates.json, and `measured_from` says on what. `known_cases`: those of the evaluation
    that the model was trained on. `places`: where to look in the cases that come first.
    """

    project: Project
    round: Round
    record: dict[str, Any]
    cases: dict[str, Case]
    status: JobStatus
    events: list[dict[str, Any]]
    ranking: list[dict[str, Any]]
    strategy: str
    summaries: dict[str, dict[str, Any]]
    evaluation: dict[str, Any] | None
    known_cases: list[str] = field(default_factory=list)
    rates: dict[str, float | None] | None = None
    rates_from: str = ""
    measured: dict[str, Any] | None = None
    measured_from: str = ""
    places: dict[str, list[Place]] = field(default_factory=dict)
    rounds: list[tuple[Round, JobStatus]] = field(default_factory=list)
    written: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def config(self) -> dict[str, Any]:
        """How the round was asked to train."""
        return self.record.get("config") or {}

    @property
    def trained_on(self) -> dict[str, str]:
        """Version of the annotation of each labelled case of the round."""
        return self.record.get("labels") or {}

    @property
    def fair_evaluation(self) -> dict[str, Any] | None:
        """The evaluation, where it can tell how often a region is wrong: not on cases that were trained on."""
        return None if self.known_cases else self.evaluation

    def volume_shares(self) -> dict[str, float] | None:
        """Share of each region in all predicted voxels; None before anything is predicted."""
        voxels = {
            name: sum(int(summary["voxels"][name]) for summary in self.summaries.values()) for name in REGIONS.values()
        }
        total = sum(voxels.values())
        return {name: amount / total for name, amount in voxels.items()} if total else None

    def waiting(self) -> list[dict[str, Any]]:
        """The entries of the ranking that nobody has labelled since."""
        known = [entry for entry in self.ranking if entry["case"] in self.cases]
        return [entry for entry in known if not self.cases[entry["case"]].is_labelled]


def gather(project: Project, found: Round, evaluation: dict[str, Any] | None) -> Content:
    """Read what there is. ProjectError when a file that is there is damaged."""
    ranking = read_ranking(found).to_json()
    content = Content(
        project=project,
        round=found,
        record=found.record,
        cases=project.cases,
        status=job_status(found),
        events=[event.to_json() for event in read_events(found.events_path)],
        ranking=ranking["cases"],
        strategy=ranking["strategy"],
        summaries=_summaries(found),
        evaluation=None,
        rounds=[(one, job_status(one)) for one in project.rounds() if one.number <= found.number],
    )
    if evaluation and evaluation["n_cases"]:
        content.evaluation, content.known_cases = told(evaluation, project, found)
    content.measured, content.measured_from = _measured(found)
    content.rates, content.rates_from = _rates(content)
    return content


def _summaries(found: Round) -> dict[str, dict[str, Any]]:
    """The summaries of the predicted cases; a damaged one is left out, as in the ranking."""
    summaries = {}
    for case_id in found.predicted_cases():
        try:
            summary = read_summary(found.prediction(case_id).summary, case_id)
        except MetaSSLError:
            continue
        if summary.voxels is not None:
            summaries[case_id] = summary.to_json()
    return summaries


def _measured(found: Round) -> tuple[dict[str, Any] | None, str]:
    found_rates = read_error_rates(found)
    if found_rates is None:
        return None, ""
    measured = found_rates.to_json()
    sources = [count(measured[key], title) for key, title in _MEASURED_ON.items() if measured.get(key)]
    return measured, f"measured on {' and '.join(sources)}"


def _rates(content: Content) -> tuple[dict[str, float | None] | None, str]:
    evaluation = content.fair_evaluation
    if evaluation is not None and any(row["voxels"] for row in evaluation["regions"].values()):
        rates = {name: row["error_rate"] for name, row in evaluation["regions"].items()}
        return rates, f"measured on {count(evaluation['n_cases'], 'case')} of the evaluation"
    return (content.measured or {}).get("rates"), content.measured_from
