"""The end of a prediction that many tasks have shared."""

from __future__ import annotations

from metassl.choices.strategies import DEFAULT_STRATEGY
from metassl.jobs.share import Share
from metassl.project.project import Project
from metassl.project.rounds import Round

from .rank import rank


def conclude(project: Project, found: Round, share: Share) -> bool:
    """Mark what is predicted, and rank; whether all cases are over. May be done again, and by several at once."""
    seen = share.standings()
    pool = {case.id for case in project.unlabelled_cases()}
    project.mark_predicted(sorted(seen.done & pool))
    rank(project, found, project.settings.get("strategy", DEFAULT_STRATEGY))
    is_over = seen.over >= set(share.cases)
    if is_over:
        share.ended_path.touch()
    return is_over
