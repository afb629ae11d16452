"""What the report shows, gathered from the project folder: a typed record.

Shares and probabilities are 0..1, times in seconds, volumes in ml.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from metassl.choices.strategies import STRATEGY_CATALOG
from metassl.files.errors import MetaSSLError
from metassl.imaging.images import read_labels
from metassl.imaging.unit_maps import read_unit_map
from metassl.jobs.events import Event, read_events
from metassl.jobs.liveness import job_status
from metassl.jobs.status import JobStatus
from metassl.project.cases import Case
from metassl.project.coverage import with_present_names
from metassl.project.effort.maps import read_work
from metassl.project.places.search import Place, find_places
from metassl.project.places.words import place_text
from metassl.project.project import Project
from metassl.project.records import ErrorRates, PredictedDice, RankedCase, Rates, Summary
from metassl.project.regions import FLAGGED, REGIONS
from metassl.project.round_files import read_error_rates, read_operating_point, read_ranking, read_summary
from metassl.project.rounds import Round
from metassl.project.words import count

from ..stored import fair_evaluation
from ..time_spent import TimeSpent, time_spent
from .charts import Line, Points

PICTURED = 3
PLACES_SHOWN = 3
MAX_LINES = 5
_REVIEWED = ("accepted", "corrected", "rejected", "in_progress", "accepted_unseen")
_MEASURED_ON = {"validation_cases": "validation case", "corrected_cases": "reviewed case"}
_UNCHANGED = ("predicted", "unlabelled")

Ends = Sequence[float | None]


@dataclass(frozen=True)
class RegionRow:
    """A region, or some together: P(error) with its 95 % interval, share of the voxels and of the errors.

    All are counted over the same voxels. None: not measured.
    """

    key: str
    title: str = ""
    rate: float | None = None
    interval: Ends | None = None
    share_of_volume: float | None = None
    share_of_errors: float | None = None


@dataclass(frozen=True)
class RegionTable:
    """UC, US, DC, DS in all voxels of the cases that `source` tells ("" before anything was measured)."""

    rows: tuple[RegionRow, ...]
    source: str = ""
    flagged: RegionRow | None = None

    def each(self, name: str) -> dict[str, float | None]:
        """One of the figures ("rate", "share_of_volume", "share_of_errors") of each region."""
        return {row.key: getattr(row, name) for row in self.rows}


@dataclass(frozen=True)
class CaseRow:
    """A case of the ranking, counted from 1. `state`: what has become of it since, "" for nothing.

    uncertainty: the mean entropy in and round its structures, as a share of the largest possible. gain: in % of a
    structure per minute. unlikeness: the distance to the labelled cases, 1 for a usual one. The ranking of a strategy
    that goes by neither has another `score`.
    """

    place: int
    id: str
    state: str
    is_waiting: bool
    reason: str
    score: float
    uncertainty: float | None
    gain: float | None
    unlikeness: float | None
    expected_dice: PredictedDice | None
    volume_ml: float | None


@dataclass(frozen=True)
class Card:
    """A case that is shown with its places. near: voxels of each region in its structures and 2 voxels round them.

    regions: of all voxels of the case its shares, and the measured P(error), which counts all voxels too.
    """

    case: CaseRow
    places: Sequence[str]
    place_count: int
    index_xyz: tuple[int, int, int] | None
    near: Mapping[str, int]
    regions: Sequence[RegionRow]
    outlines: Sequence[tuple[str, str, float]]
    """(structure, colour, ml)"""


@dataclass(frozen=True)
class StructureRow:
    """Of a structure, or of their mean: the Dice of each measured case, figures over them, and in how many cases it was
    annotated but not predicted (missed), or predicted but not annotated (invented). Distances in mm.
    """

    name: str
    values: Sequence[float]
    dice: float | None
    interval: Ends
    hd95: float | None
    assd: float | None
    missed: int
    invented: int


@dataclass(frozen=True)
class Quality:
    """The evaluation, as `evaluate` returns it, and what the page shows of it in another form.

    trained_on: those of its cases that the model was trained on. dice_from: where the axis of the Dice begins.
    """

    evaluation: Mapping[str, Any]
    trained_on: Sequence[str]
    structures: Sequence[StructureRow]
    mean: StructureRow
    dice_from: float
    worst_first: Sequence[tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class Curves:
    """How the training went. `last`: the last report of a step."""

    losses: Sequence[Line]
    regions: Mapping[str, Points]
    dice: Sequence[Line]
    last: Event | None


@dataclass(frozen=True)
class Report:
    """All that the page shows. `strategy`: the one that the ranking was made by; `strategy_summary`: what it does.

    measured: the round's error_rates.json, and `measured_from` says on what. predicted_shares: of the regions in all
    predicted voxels. time: of annotation. operating_point: in words.
    """

    project: Project
    round: Round
    record: Mapping[str, Any]
    config: Mapping[str, Any]
    status: JobStatus
    cases: Mapping[str, Case]
    ranking: Sequence[CaseRow]
    strategy: str
    strategy_summary: str
    cards: Sequence[Card]
    predicted: int
    regions: RegionTable
    predicted_shares: Mapping[str, float] | None
    quality: Quality | None
    measured: ErrorRates | None
    measured_from: str
    operating_point: str
    curves: Curves
    rounds: Sequence[tuple[Round, JobStatus]]
    pool: int
    reviewed: Mapping[str, int]
    time: TimeSpent
    written: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def waiting(self) -> list[CaseRow]:
        """Those that nobody has labelled since."""
        return [case for case in self.ranking if case.is_waiting]


def gather(project: Project, found: Round, evaluation: dict[str, Any] | None) -> Report:
    """Read what there is. ProjectError when a file that is there is damaged."""
    summaries, measured = _summaries(project, found), read_error_rates(found)
    point, names = read_operating_point(found), {label.value: label.name for label in project.labels}
    known: list[str] = []
    if evaluation and evaluation["n_cases"]:
        evaluation, known = fair_evaluation(evaluation, project, found)
    else:
        evaluation = None
    sources = [count(cases, title) for key, title in _MEASURED_ON.items() if (cases := getattr(measured, key, None))]
    measured_from = f"measured on {' and '.join(sources)}" if sources else "measured"
    regions = _regions(None if known else evaluation, measured, measured_from)
    ranked = read_ranking(found, project.labels)
    strategy = ranked.strategy
    ranking = [
        _row(place, entry, strategy, project.cases.get(entry.case), summaries.get(entry.case) or Summary())
        for place, entry in enumerate(ranked.cases, start=1)
    ]
    shown = [case for case in ranking if case.is_waiting][:PICTURED]
    pool = [case for case in project.cases.values() if case.split == "pool"]
    states = Counter("accepted_unseen" if case.unseen else case.state for case in pool)
    return Report(
        project=project,
        round=found,
        record=found.record,
        config=found.record.get("config") or {},
        status=job_status(found),
        cases=project.cases,
        ranking=ranking,
        strategy=strategy,
        strategy_summary=next((each.summary for each in STRATEGY_CATALOG if each.name == strategy), ""),
        cards=[_card(project, found, case, summaries.get(case.id), regions) for case in shown],
        predicted=len(summaries),
        regions=regions,
        predicted_shares=_predicted_shares(summaries),
        quality=_quality(evaluation, known) if evaluation else None,
        measured=measured,
        measured_from=measured_from,
        operating_point="not chosen" if point is None else point.describe(names),
        curves=_curves(read_events(found.events_path)),
        rounds=[(one, job_status(one)) for one in project.rounds() if one.number <= found.number],
        pool=states.total(),
        reviewed={state: states[state] for state in _REVIEWED},
        time=time_spent(project.cases.values()),
    )


def _summaries(project: Project, found: Round) -> dict[str, Summary]:
    """The summaries of the predicted cases; a damaged one is left out, as in the ranking."""
    summaries = {}
    for case_id in found.predicted_cases():
        try:
            summary = with_present_names(read_summary(found.prediction(case_id).summary, case_id), project.labels)
        except MetaSSLError:
            continue
        if summary.voxels is not None:
            summaries[case_id] = summary
    return summaries


def _regions(evaluation: Mapping[str, Any] | None, measured: ErrorRates | None, source: str) -> RegionTable:
    """Of the evaluation, else of what the round has measured; `source`: on which cases that was."""
    table: Mapping[str, Any] = {}
    if evaluation is not None and any(row["voxels"] for row in evaluation["regions"].values()):
        table = evaluation
        source = f"measured on {count(evaluation['n_cases'], 'case')} of the evaluation"
    elif measured is not None and measured.rates:
        rates = {key: {"error_rate": rate} for key, rate in measured.rates.items()}
        table = {"regions": rates, **(measured.volume or {})}
    rows = {region.key: RegionRow(region.key, region.name) for region in REGIONS}
    for key, row in rows.items():
        rows[key] = _measured(row, (table.get("regions") or {}).get(key))
    flagged = _measured(RegionRow("flagged"), table["flagged"]) if table.get("flagged") else None
    return RegionTable(tuple(rows.values()), source if table else "", flagged)


def _measured(row: RegionRow, figures: Mapping[str, Any] | None) -> RegionRow:
    found = figures or {}
    parts: dict[str, Any] = {key: found.get(key) for key in ("share_of_volume", "share_of_errors")}
    return replace(row, rate=found.get("error_rate"), interval=found.get("error_rate_interval"), **parts)


def _row(place: int, entry: RankedCase, strategy: str, case: Case | None, summary: Summary) -> CaseRow:
    return CaseRow(
        place=place,
        id=entry.case,
        state=case.state if case is not None and case.state not in _UNCHANGED else "",
        is_waiting=case is not None and not case.is_done,
        reason=entry.reason,
        score=entry.score,
        uncertainty=summary.mean_uncertainty,
        gain={"discrepancy": entry.score, "combined": entry.parts.get("gain")}.get(strategy),
        unlikeness=entry.parts.get("novelty") if strategy == "combined" else None,
        expected_dice=summary.predicted_dice,
        volume_ml=sum(summary.volume_ml.values()) if summary.volume_ml else None,
    )


def _card(project: Project, found: Round, case: CaseRow, summary: Summary | None, table: RegionTable) -> Card:
    places = _places(project, found, case.id, table.each("rate"))
    summary = summary or Summary()
    regions = summary.voxels or {}
    total = sum(regions.values()) or 1
    colors = {label.name: label.color for label in project.labels}
    return Card(
        case=case,
        places=[place_text(place) for place in places[:PLACES_SHOWN]],
        place_count=len(places),
        index_xyz=places[0].index_xyz if places else None,
        near=summary.band_voxels or regions,
        regions=[replace(row, share_of_volume=regions[row.key] / total) for row in table.rows] if regions else [],
        outlines=[(name, colors.get(name, ""), ml) for name, ml in (summary.volume_ml or {}).items()],
    )


def _places(project: Project, found: Round, case_id: str, rates: Mapping[str, float | None]) -> list[Place]:
    """Those of a predicted case, in the order of Slicer; none where its files cannot be read, as the picture will say.

    Where P(error) was not learnt their chance to be wrong is that of the `rates` which the report shows.
    """
    paths = found.prediction(case_id)
    try:
        segmentation, geometry = read_labels(paths.segmentation, case_id)
        regions, _ = read_labels(paths.regions, case_id)
        learnt = paths.error_probability.exists()
        heat, _ = read_unit_map(paths.error_probability if learnt else paths.uncertainty, case_id)
        summary = read_summary(paths.summary, case_id)
        work = read_work(paths, summary, geometry, case_id)
    except MetaSSLError:
        return []
    if not segmentation.shape == regions.shape == heat.shape:
        return []
    learnt_heat, other_heat = (heat, None) if learnt else (None, heat)
    told = project.labels, summary.error_rates, learnt_heat, other_heat, work
    places = find_places(segmentation, regions, geometry, *told)
    return places if learnt else [replace(place, chance=_chance(place, rates)) for place in places]


def _chance(place: Place, rates: Mapping[str, float | None]) -> float | None:
    known = {region: rate for region, rate in rates.items() if rate is not None}
    if not place.regions.keys() <= known.keys():
        return None
    return sum(share * known[region] for region, share in place.regions.items())


def _predicted_shares(summaries: Mapping[str, Summary]) -> dict[str, float] | None:
    voxels = {
        region.key: sum((each.voxels or {}).get(region.key, 0) for each in summaries.values()) for region in REGIONS
    }
    total = sum(voxels.values())
    return {key: amount / total for key, amount in voxels.items()} if total else None


def _quality(evaluation: Mapping[str, Any], trained_on: Sequence[str]) -> Quality:
    dice, hd95, assd = (evaluation[metric] for metric in ("dice", "hd95_mm", "assd_mm"))
    missed, invented, cases = evaluation["missed"], evaluation["invented"], evaluation["cases"]
    rows = []
    for name in evaluation["labels"]:
        values = _known([row["labels"][name]["dice"] for row in cases.values()])
        mean, interval = dice["per_class"][name], dice["per_class_interval"][name]
        distances = hd95["per_class"][name], assd["per_class"][name]
        rows.append(StructureRow(name, values, mean, interval, *distances, missed[name], invented[name]))
    means = _known([row["dice"] for row in cases.values()])
    totals = sum(missed.values()), sum(invented.values())
    whole = StructureRow("Mean", means, dice["mean"], dice["interval"], hd95["mean"], assd["mean"], *totals)
    lowest = min([*means, *(value for row in rows for value in row.values)], default=0.0)
    worst_first = sorted(cases.items(), key=lambda item: (item[1]["dice"] is not None, item[1]["dice"] or 0.0, item[0]))
    return Quality(evaluation, trained_on, rows, whole, min(int(lowest * 10) / 10, 0.9), worst_first)


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _curves(events: Sequence[Event]) -> Curves:
    steps: dict[int, Event] = {}
    dice: dict[str, dict[int, float]] = {}
    for event in events:
        if event.step is None:
            continue
        if event.event == "progress" and event.stage == "training":
            while steps and next(reversed(steps)) >= event.step:  # a resumed run replaces what it redid
                steps.popitem()
            steps[event.step] = event
        elif event.event == "validation" and event.dice is not None:
            for name, value in {"mean": event.dice.get("mean"), **(event.dice.get("per_class") or {})}.items():
                if value is not None:
                    dice.setdefault(name, {})[event.step] = value
    names = dict.fromkeys(name for event in steps.values() for name in event.loss or {})
    losses = [Line(name, _series({step: event.loss for step, event in steps.items()}, name)) for name in names]
    shares = {key: _series({step: event.regions for step, event in steps.items()}, key) for key in FLAGGED}
    return Curves(
        losses=[line for line in losses if any(y > 0 for _, y in line.points)][: MAX_LINES - 1],
        regions=shares if any(len(points) > 1 and max(y for _, y in points) > 0 for points in shares.values()) else {},
        dice=[Line(name, sorted(points.items())) for name, points in dice.items()][:MAX_LINES],
        last=next(reversed(steps.values()), None),
    )


def _series(told: Mapping[int, Rates | None], name: str) -> list[tuple[float, float]]:
    return [(step, y) for step, figures in told.items() if (y := (figures or {}).get(name)) is not None]
