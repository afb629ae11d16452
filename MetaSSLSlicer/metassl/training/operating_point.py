"""The step that chooses the operating point of a round's model, and says why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from metassl.files.errors import MetaSSLError
from metassl.files.json_files import write_json
from metassl.inference.measured import annotated_case, judged_rounds
from metassl.inference.model import TrainedModel
from metassl.inference.one_pass import fitting_pass
from metassl.inference.operating_point.offsets import (
    LEAST_CASES,
    Gain,
    KnownCase,
    KnownCases,
    Offsets,
    gain_on_cases_left_out,
    known_case,
)
from metassl.inference.operating_point.point import Point
from metassl.networks.checkpoint import load_checkpoint
from metassl.project.records import OperatingPoint
from metassl.project.round_files import read_operating_point
from metassl.project.rounds import Round, trained_on
from metassl.project.words import count
from metassl.training.inputs import Inputs
from metassl.training.job import Job
from metassl.training.one_piece import OnePiece
from metassl.training.passes import Passes

if TYPE_CHECKING:
    from metassl.training.train import Trained

STOPPED = "stopped before it was chosen"
LOST = "as its model has it; how it was chosen is not known any more"
MOST_CORRECTIONS = 12
"""Each takes a pass of the former model, which nobody else needs."""


def choose_operating_point(job: Job, trained: Trained, inputs: Inputs, passes: Passes) -> Point:
    """The passes that were made for it are kept, and moved to it.

    Of a model that was there already it is the one by which cases may have been predicted.
    """
    point = _chosen_before(job, trained.step)
    if point is None:
        point = _choose(job, trained, inputs, passes)
    write_json(job.round.operating_point_path, point.to_json())
    names = {label.value: label.name for label in job.project.labels}
    job.emit("operating_point", message=point.describe(names), used=point.used)
    chosen = _held(point, job.project.values)
    passes.move(chosen)
    return chosen


def _chosen_before(job: Job, step: int) -> OperatingPoint | None:
    try:
        content = load_checkpoint(job.round.model_path)
    except MetaSSLError:
        return None
    values = job.project.values
    if content.get("step") != step or content.get("values") != values:
        return None
    point, held = _told(job, job.round), Point(content.get("offsets"), content.get("one_piece") or ())
    if point is not None and point.reason == STOPPED or not held.suits(len(values)):
        return None
    if point is not None and _held(point, values) == held:
        return point
    if held == _held(OperatingPoint(), values):
        predicted = job.round.thinned_or_predicted()
        return OperatingPoint(reason="its cases were predicted without one") if predicted else None
    known = OperatingPoint(reason=LOST) if held.offsets is None else _point(held.offsets, values, True, LOST)
    return replace(known, one_piece={str(values[k]): 0 for k in held.one_piece})


def _told(job: Job, found: Round) -> OperatingPoint | None:
    """What a round says of its operating point; None, and a word of it, where that is damaged."""
    try:
        return read_operating_point(found)
    except MetaSSLError as error:
        job.warn(str(error))
        return None


def _held(point: OperatingPoint, values: Sequence[int]) -> Point:
    """As a model holds it."""
    offsets = [point.offsets.get(str(value), 0.0) for value in values] if point.used else None
    return Point(offsets, [k for k, value in enumerate(values) if str(value) in point.one_piece] or ())


def _choose(job: Job, trained: Trained, inputs: Inputs, passes: Passes) -> OperatingPoint:
    if job.round.has_source:
        return OperatingPoint(reason="a model from elsewhere is used as it is")
    one_piece = OnePiece.of(inputs, len(job.project.values))
    point = _offsets(job, _validation_cases(job, trained, passes, one_piece))
    if job.config.get("pieces") == "all":
        return point
    return replace(point, one_piece=one_piece.chosen(job.project.values))


def _offsets(job: Job, own: Sequence[KnownCase]) -> OperatingPoint:
    former = _latest_corrections(job)
    corrections: list[KnownCase] = []
    model = None
    if former is not None and max(len(own), len(former[1])) >= LEAST_CASES:
        model, corrections = _cases_of_former_model(job, *former)
    if job.stop_requested:
        return OperatingPoint(reason=STOPPED)
    values = job.project.values
    if len(own) >= LEAST_CASES:
        return by_validation(own, corrections, values)
    if former is None or model is None or len(corrections) < LEAST_CASES:
        known = f"{count(len(own), 'validation case')}, {count(len(corrections), 'correction')} of a former round"
        return OperatingPoint(reason=f"{known}: it takes {LEAST_CASES} of a kind")
    return by_corrections(KnownCases(corrections), model.point.offsets, _told(job, former[0]), former[0], values)


def by_validation(own: Sequence[KnownCase], corrections: Sequence[KnownCase], values: Sequence[int]) -> OperatingPoint:
    """Chosen on validation cases, with former corrections where that is better for validation cases left out."""
    cases = KnownCases(own)
    if len(cases) < LEAST_CASES:
        return OperatingPoint(reason=f"{count(len(cases), 'validation case')} with a structure, of {LEAST_CASES}")
    helping = KnownCases(corrections).cases
    extras: list[Sequence[KnownCase]] = [(), helping] if helping else [()]
    gain, extra = max(((gain_on_cases_left_out(cases, each), each) for each in extras), key=lambda pair: pair[0].mean)
    offsets = KnownCases([*cases.cases, *extra]).best()
    tested = f"{gain} on {len(cases)} validation cases, each left out in turn"
    if extra:
        tested += f"; {count(len(extra), 'correction')} helped to choose"
    return _point(offsets, values, gain.counts and any(offsets), tested, len(cases), gain)


def by_corrections(
    cases: KnownCases, shown: Offsets, before: OperatingPoint | None, former: Round, values: Sequence[int]
) -> OperatingPoint:
    """Without validation cases: from corrections of what the model of a former round predicted, at `shown`.

    Whoever corrects begins with what is shown, so that corrections speak for it, right or not. What they say for
    another point counts. What is chosen on those of one round is tried on those of the next, which neither that choice
    nor that model has seen, before it is used; and it is used until corrections speak against it.
    """
    if len(cases) < LEAST_CASES:
        return OperatingPoint(reason=f"{count(len(cases), 'correction')} with a structure, of {LEAST_CASES}")
    told = f"{len(cases)} corrections of {former.title}"
    best = cases.best()
    if shown is not None:
        gain = Gain.of(cases.dice(cases.zero) - cases.dice(tuple(shown)))
        if gain.counts:
            return _point(best, values, False, f"without it {gain} on {told}", len(cases), gain)
        return _point(
            tuple(shown), values, True, f"as in {former.title}; without it {gain} on {told}", len(cases), gain
        )
    if before is None or not before.offsets:
        return _point(best, values, False, f"what {told} say is tried on those of the next round", len(cases), None)
    carried = tuple(before.offsets.get(str(value), 0.0) for value in values)
    gain = Gain.of(cases.dice(carried) - cases.dice(cases.zero))
    reason = f"what was chosen before brings {gain} on {told}"
    return _point(carried if gain.counts else best, values, gain.counts, reason, len(cases), gain)


def _point(
    offsets: Sequence[float],
    values: Sequence[int],
    used: bool,
    reason: str,
    cases: int | None = None,
    gain: Gain | None = None,
) -> OperatingPoint:
    named = {str(value): each for value, each in zip(values[1:], offsets[1:], strict=True)}
    measured = (None, None) if gain is None else (round(gain.mean, 5), round(gain.error, 5))
    return OperatingPoint(used, named, reason, cases, *measured)


def _validation_cases(job: Job, trained: Trained, passes: Passes, one_piece: OnePiece) -> list[KnownCase]:
    """What the new model says of them; cases that any round before has learnt from are none."""
    seen = trained_on(job.round)
    cases = [case for case in job.project.validation_cases() if case.id not in seen]
    found = []
    unusable = []
    for done, case in enumerate(cases):
        if job.stop_requested:
            break
        known = annotated_case(job.project, case.id, trained.plan, job.reader.images.get)
        if known is None:
            unusable.append(case.id)
            continue
        image = known.prepared.array
        made = fitting_pass(trained.networks, image, case.id, trained.plan, job.device, job.tell_of_memory)
        found.append(known_case(made.pair, known.truth, job.project.values, known.missing))
        one_piece.try_on(made.pair, known.truth, job.project.values, known.missing)
        passes.keep(case.id, made)
        job.progress("calibrating", done + 1, len(cases))
    _tell_of_unusable(job, unusable)
    return found


def _tell_of_unusable(job: Job, cases: Sequence[str], why: str = "") -> None:
    if cases:
        why = why or "its image or label cannot be read, is damaged, or was replaced since"
        others = f" ({count(len(cases) - 1, 'other')} likewise)" if len(cases) > 1 else ""
        job.warn(f"case {cases[0]}{others} does not help to choose the operating point: {why}")


def _latest_corrections(job: Job) -> tuple[Round, list[str]] | None:
    """The last round before with predictions that were reviewed and a model that had not seen them; and these."""
    judged = judged_rounds(job.project, job.round.number)
    rounds = [found for found in judged.values() if found.model_path.exists()]
    if not rounds:
        return None
    last = max(rounds, key=lambda found: found.number)
    cases = [case_id for case_id, found in judged.items() if found == last]
    step = max(1, len(cases) // MOST_CORRECTIONS)
    return last, cases[::step][:MOST_CORRECTIONS]


def _cases_of_former_model(
    job: Job, former: Round, cases: Sequence[str]
) -> tuple[TrainedModel | None, list[KnownCase]]:
    try:
        model = TrainedModel.load(former.model_path, job.device)
    except MetaSSLError as error:
        _tell_of_unusable(job, cases, str(error))
        return None, []
    if model.values != job.project.values:
        _tell_of_unusable(job, cases, f"the model of {former.title} is of other structures")
        return None, []
    found = []
    unusable: list[str] = []
    for case_id in cases:
        if job.stop_requested:
            break
        known = annotated_case(job.project, case_id, model.plan, job.reader.images.get)
        if known is None:
            unusable.append(case_id)
            continue
        try:
            made = fitting_pass(model.networks, known.prepared.array, case_id, model.plan, job.device)
        except MetaSSLError as error:
            _tell_of_unusable(job, [case_id], str(error))
            continue
        found.append(known_case(made.pair, known.truth, model.values, known.missing))
    _tell_of_unusable(job, unusable)
    return model, found
