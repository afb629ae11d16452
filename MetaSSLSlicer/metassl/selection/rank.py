"""Rank the predicted cases of a round, and write ranking.json, by which panel, report and command line go."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from metassl.choices.strategies import DEFAULT_STRATEGY
from metassl.files.errors import MetaSSLError
from metassl.files.json_files import write_json
from metassl.project.effort.pace import Pace, pace_of
from metassl.project.effort.words import work_text
from metassl.project.project import Project
from metassl.project.records import RankedCase, Ranking
from metassl.project.round_choice import waiting_cases
from metassl.project.round_files import read_summary
from metassl.project.rounds import Round

from .base import Scored, Strategy, get_strategy
from .candidate import Candidate
from .context import Context


def rank(project: Project, round: Round, strategy: str = DEFAULT_STRATEGY) -> Ranking:
    """Write ranking.json and return the ranking, see `ranking_by`."""
    result = ranking_by(project, round, strategy)
    write_json(round.ranking_path, result.to_json())
    return result


def ranking_by(project: Project, round: Round, strategy: str = DEFAULT_STRATEGY) -> Ranking:
    """Rank the round's predicted cases of the pool that are not done yet, see `waiting_cases`; writes nothing.

    A case whose summary cannot be read is skipped and named. Raises MetaSSLError for an unknown strategy.
    """
    chosen = get_strategy(strategy)
    waiting = {*waiting_cases(project, round)}
    candidates, skipped = {}, {}
    for case_id in round.predicted_cases():
        if case_id not in waiting:
            continue
        try:
            candidates[case_id] = _candidate(round, case_id, chosen)
        except MetaSSLError as error:
            skipped[case_id] = str(error)
    found = chosen.order(list(candidates.values()), Context.of(round))
    for each in found:
        if not math.isfinite(each.score):
            skipped[each.case] = f"the summary of case {each.case} gives no finite score"
    pace = pace_of(project)
    ranked = [_ranked(each, candidates[each.case], pace) for each in found if each.case not in skipped]
    made = Ranking(strategy, ranked, skipped, _names(candidates.values()))
    return made.with_present_names({label.value: label.name for label in project.labels})


def _names(candidates: Iterable[Candidate]) -> dict[str, int]:
    """The structures by the names that they had when the candidates were predicted."""
    summaries = [each.summary for each in candidates]
    return {
        name: value
        for summary in summaries
        if summary.values is not None
        for name, value in zip(summary.volume_ml or (), summary.values, strict=False)
    }


def _ranked(scored: Scored, candidate: Candidate, pace: Pace) -> RankedCase:
    """With the work that it will be, where that is known."""
    effort = candidate.summary.effort
    seconds = None if effort is None else pace.factor * effort.seconds()
    reason = scored.reason if seconds is None else f"{scored.reason}; {work_text(seconds)}"
    return RankedCase(scored.case, scored.score, reason, scored.parts, seconds)


def ordered(candidates: Sequence[Candidate], round: Round, strategy: str) -> list[Scored]:
    """Candidates that lie in no folder, the best first; those that the strategy can say nothing about are left out."""
    chosen = get_strategy(strategy)
    usable = [each for each in candidates if not _lacks(each, chosen)]
    return [each for each in chosen.order(usable, Context.of(round)) if math.isfinite(each.score)]


def _candidate(round: Round, case_id: str, strategy: Strategy) -> Candidate:
    path = round.prediction(case_id).summary
    candidate = Candidate(case_id, read_summary(path, case_id))
    if error := _lacks(candidate, strategy):
        raise MetaSSLError(f"the summary of case {case_id} is damaged: {path} ({error!r})") from error
    return candidate


def _lacks(candidate: Candidate, strategy: Strategy) -> Exception | None:
    """Why the strategy cannot use the candidate; None where it can."""
    try:
        for field in strategy.needs:
            getattr(candidate, field)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return error
    return None
