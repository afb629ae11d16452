"""Round 0: the model that a project begins with, as it came from elsewhere. It predicts; nothing is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from metassl.choices.defaults import DEFAULTS
from metassl.jobs.liveness import job_status
from metassl.jobs.start import RESUMABLE, WorkerPython, launch_round, round_record
from metassl.project.project import Project
from metassl.project.rounds import Round

CONFIG = {"framework": DEFAULTS["framework"], "loss": DEFAULTS["loss"], "device": "auto", "seed": 0}


def make_source_round(project: Project, models: Sequence[Path], values: Mapping[int, int]) -> Round:
    """Write the record of round 0. values: {value of a structure: its value in the model}, of those that it knows."""
    record = round_record(
        {**CONFIG, "iterations": None, "minutes": None},
        None,
        labels={},
        validation={case.id: case.label_version or "" for case in project.validation_cases()},
        unlabelled=[case.id for case in project.unlabelled_cases()],
    )
    source = {
        "models": [str(Path(folder).expanduser().absolute()) for folder in models],
        "values": {str(value): was for value, was in values.items()},
    }
    return project.new_round({**record, "source": source}, first=0)


def source_round_to_run(project: Project) -> Round | None:
    """Round 0 where it is the newest and has not predicted yet; None otherwise."""
    latest = project.latest_round()
    if latest is None or not latest.has_source:
        return None
    return latest if job_status(latest).state in (*RESUMABLE, "failed") else None


def run_source_round(project: Project, found: Round, python: WorkerPython | None = None) -> Round:
    """Launch the worker that predicts with it. Raises BusyError when the project is at work."""
    return launch_round(project, lambda: found, python=python)
