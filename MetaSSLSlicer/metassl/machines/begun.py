"""Which rounds somebody has begun on which machine, and which of them are not finished.

A project says where its rounds run, but nothing lists the projects: so each start is noted in begun.json beside the
list of machines. What was begun from another computer is not known here.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from itertools import count as count_from
from pathlib import Path
from typing import Any

from metassl.files.errors import MetaSSLError, ProjectError
from metassl.files.json_files import read_json, write_json
from metassl.files.json_kinds import by_name, list_of, text, whole, whole_of
from metassl.jobs.liveness import job_status, last_status
from metassl.jobs.record import JobRecord
from metassl.jobs.share import shares_of
from metassl.jobs.status import JobStatus
from metassl.project.project import Project
from metassl.project.rounds import Round, round_path
from metassl.project.words import count

from .site import site_lock, site_path

_KINDS = {"rounds": by_name(list_of(whole_of(project=text, round=whole)))}


@dataclass(frozen=True)
class Begun:
    """A round, or a prediction that tasks share, that is not finished on the machine where it was begun.

    standing: as it was last heard of here; the machine is not asked.
    """

    project: Path
    round: int
    standing: str

    @property
    def words(self) -> str:
        """ "round 2 of /data/liver (paused at step 120 of 300)"."""
        return f"round {self.round} of {self.project} ({self.standing})"


def note_begun(machine: str, found: Round) -> None:
    """Remember that `found` was begun on `machine`. Never raises: a training is worth more than the note of it.

    A list that cannot be read is moved beside its place, and a new one begun; `unfinished_on` says so.
    """
    entry = {"project": str(Path(found.project_path).absolute()), "round": found.number}
    with contextlib.suppress(MetaSSLError, OSError), site_lock():
        try:
            known = _read()
        except ProjectError:
            os.replace(_path(), _unread_path())
            known = {}
        others = [each for each in known.get(machine, []) if each != entry and _unfinished(machine, each)]
        write_json(_path(), {"rounds": {**known, machine: [*others, entry]}})


def unfinished_on(machine: str) -> list[Begun]:
    """What was begun from this computer on the machine of that name, and is not finished. Raises ProjectError."""
    for path in _unread():
        raise ProjectError(
            f"what was begun on machines once is in {path}, which cannot be read: see what still runs on {machine}, "
            "and delete that file"
        )
    return [found for entry in _read().get(machine, []) for found in _unfinished(machine, entry)]


def _path() -> Path:
    return site_path().with_name("begun.json")


def _unread() -> list[Path]:
    return sorted(_path().parent.glob("begun.unread*.json"))


def _unread_path() -> Path:
    """Where nothing is yet: each list that was moved away is kept."""
    taken = len(_unread())
    names = (_path().with_name(f"begun.unread{number}.json") for number in count_from(taken + 1))
    return next(path for path in names if not path.exists())


def _read() -> dict[str, list[dict[str, Any]]]:
    path = _path()
    if not path.exists():
        return {}
    return read_json(path, "the list of what was begun on machines", _KINDS, "delete it").get("rounds") or {}


def _unfinished(machine: str, entry: dict[str, Any]) -> list[Begun]:
    project, number = Path(entry["project"]), int(entry["round"])
    found = Round(round_path(project / "rounds", number))
    try:
        if not found.record_path.is_file():
            where = "it was moved or deleted, or its disk is not there" if not project.is_dir() else "it is not there"
            return [Begun(project, number, where)]
        standings = [*_of_training(machine, found), *_of_shares(machine, found)]
    except (MetaSSLError, OSError) as error:  # such as a folder that may not be looked into
        standings = [str(error)]
    return [Begun(project, number, standing) for standing in standings]


def _of_training(machine: str, found: Round) -> list[str]:
    record = JobRecord.read(found.job_path)
    if record is None or record.machine != machine:
        return []
    status = last_status(found) if record.job else job_status(found)  # without asking the machine
    if status.state == "finished":
        return []
    latest = Project.open(found.project_path).latest_round()
    is_over = status.is_over and latest is not None and latest.number > found.number  # another round has followed it
    return [] if is_over else [_standing(status)]


def _standing(status: JobStatus) -> str:
    if status.state in ("running", "paused") and status.stage == "training" and status.total:
        return f"{status.state} at step {status.step} of {status.total}"
    return status.state


def _of_shares(machine: str, found: Round) -> list[str]:
    shares = [share for share in shares_of(found) if share.machine == machine and not share.ended_path.exists()]
    return [
        f"{len(share.standings().over)} of {count(len(share.cases), 'case')} predicted by its tasks" for share in shares
    ]
