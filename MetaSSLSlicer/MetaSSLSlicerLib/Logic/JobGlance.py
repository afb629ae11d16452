"""A first look at a job that may have run for weeks: its first and its last events, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass

from metassl.jobs import JobFollower, JobStatus
from metassl.project import Project, Round


@dataclass(frozen=True)
class JobGlance:
    """A round, its events as far as they were read, where it stands, and what follows it from here on."""

    round: Round
    follower: JobFollower
    events: list[dict]
    status: JobStatus

    @staticmethod
    def of(project: Project, known: Round | None) -> JobGlance | None:
        """The latest round of a project, unless that is `known`. For a thread."""
        latest = project.latest_round()
        if latest is None or latest == known:
            return None
        follower = JobFollower(latest)
        return JobGlance(latest, follower, *follower.attach())
