"""How a job on another machine stands, as that machine says it: asked now and then, and never for every look."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from typing import Any

from metassl.files.errors import MetaSSLError
from metassl.project.cases import now
from metassl.project.rounds import Round

from .launcher import get_launcher
from .record import JobRecord

EVERY_S = 10.0
"""A machine is asked no more often than that, unless its launcher has an `every_s` of its own."""


@dataclass(frozen=True)
class Standing:
    """state: "queued", "running", "ended", or "unknown" where the machine gave no answer. reason: why, in words.

    asked: when (ISO 8601).
    """

    state: str
    reason: str = ""
    asked: str = field(default_factory=now)


class _Asked:
    """What is known of one job, and whether somebody asks just now."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.standing: Standing | None = None
        self.at = float("-inf")


_KNOWN: dict[tuple[str, str, str], _Asked] = {}


def standing_of(record: JobRecord, found: Round | None = None, patient: bool = True) -> Standing:
    """How the job of `record` stands on its machine. May take seconds, unless not `patient`.

    Then the answer is the last one, and a thread asks anew where that is old. Where `found` is given, the launcher may
    fetch what the job has written meanwhile, and an end that is news is written into job.json.
    """
    if record.ended:
        return Standing("ended", record.ended)
    key = (record.launcher, record.machine, record.job)
    asked = _KNOWN.setdefault(key, _Asked())
    launcher = _launcher(record)
    if isinstance(launcher, Standing):
        return launcher
    if time.monotonic() - asked.at >= getattr(launcher, "every_s", EVERY_S):
        if patient:
            with asked.lock:
                if time.monotonic() - asked.at >= getattr(launcher, "every_s", EVERY_S):
                    _ask(asked, launcher, record, found)
        elif asked.lock.acquire(blocking=False):
            asked.at = time.monotonic()
            threading.Thread(target=_ask_and_release, args=(asked, launcher, record, found), daemon=True).start()
    return asked.standing or Standing("unknown", "not asked yet")


def forget(record: JobRecord) -> None:
    """Ask at the next look: something was done to the job."""
    _KNOWN.pop((record.launcher, record.machine, record.job), None)


def _ask_and_release(asked: _Asked, launcher: Any, record: JobRecord, found: Round | None) -> None:
    try:
        _ask(asked, launcher, record, found)
    finally:
        asked.lock.release()


def _ask(asked: _Asked, launcher: Any, record: JobRecord, found: Round | None) -> None:
    try:
        if found is not None and hasattr(launcher, "fetch"):
            launcher.fetch(found)
        standing = launcher.standing(record)
        if standing.state == "ended" and found is not None:
            _keep(standing, record, found)
    except MetaSSLError as error:
        standing = Standing("unknown", str(error))
    asked.standing, asked.at = standing, time.monotonic()


def _keep(standing: Standing, record: JobRecord, found: Round) -> None:
    """A machine forgets; what it said of the end is kept."""
    present = JobRecord.read(found.job_path)
    if present is not None and present.job == record.job and not present.ended:
        replace(present, ended=standing.reason or "it ended").write(found.job_path)


def _launcher(record: JobRecord) -> Any:
    try:
        return get_launcher(record.launcher, record.machine)
    except MetaSSLError as error:  # such as a machine that is set up on somebody else's computer only
        return Standing("unknown", str(error))
