"""Start, or go on with, the training of a project: what the command line and the panel both call."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from metassl import __version__
from metassl.choices.defaults import DEFAULTS, PIECES, PLANS
from metassl.choices.frameworks import check_choice
from metassl.choices.quality import QUALITIES
from metassl.files.atomic import remove_leftovers, write_text
from metassl.files.errors import ErrorCode, ProjectError
from metassl.jobs.launcher import GIVE_WAY, get_launcher
from metassl.jobs.liveness import job_status
from metassl.jobs.lock import JOB_VARIABLE, TrainingLock
from metassl.jobs.record import JobRecord
from metassl.project.making import FOLDERS
from metassl.project.project import Project
from metassl.project.rounds import Round

LARGEST_SEED = 2**31
LEAVING_SECONDS = 30.0
GIVING_WAY_SECONDS = 300.0
"""How long a job that predicts may take for the case at hand, before the next training begins."""
RESUMABLE = ("created", "paused", "interrupted")


@dataclass(frozen=True)
class WorkerPython:
    """The Python that a worker shall run in, where that is not this one.

    `environment`: its variables. `versions`: {package: version} in it as far as they are known, None where it has the
    packages of this one. What a run has really used is told in its event "started".
    """

    executable: str
    environment: Mapping[str, str]
    versions: Mapping[str, str] | None = None


def start_training(
    project: Project,
    framework: str | None = None,
    loss: str | None = None,
    plan: str | None = None,
    iterations: int | None = None,
    minutes: float | None = None,
    device: str | None = None,
    seed: int | None = None,
    quality: str | None = None,
    predict: int | None = None,
    pieces: str | None = None,
    fresh: bool = False,
    new_round: bool = False,
    launcher: str | None = None,
    python: WorkerPython | None = None,
    patience_s: float = LEAVING_SECONDS,
    machine: str = "",
) -> Round:
    """Launch the training in its own process and return its round at once.

    launcher, machine: where, see `Machine.kind` and `Machine.name`; by default a round goes on where it was begun, and
    a new one is trained on this computer ("local").

    A round that was stopped or killed goes on where it was, unless `new_round`. `fresh`: do not start from the
    former round's model. `python`: None for the one that runs this. A former job that is about to end is waited for,
    `patience_s` seconds at most. `quality`: a key of QUALITIES, which has a length of its own. `predict`: so many cases
    are predicted after it, None for all. Raises BusyError when the project is being trained, ProjectError when there is
    nothing to train on, or when the options contradict the round that would be resumed.
    """
    asked = {
        "framework": framework,
        "loss": loss,
        "plan": plan,
        "iterations": iterations,
        "minutes": minutes,
        "device": device,
        "seed": seed,
        "quality": quality,
        "predict": predict,
        "pieces": pieces,
    }
    if quality is not None and quality not in QUALITIES:
        raise ProjectError(f"there is no quality {quality!r}: use {', '.join(QUALITIES)}")
    if seed is not None and not 0 <= seed < LARGEST_SEED:
        raise ProjectError(f"the seed {seed} is not between 0 and {LARGEST_SEED - 1}")

    def choose() -> Round:
        found = _resumable(project)
        if found is None or new_round:
            return _new_round(project, asked, fresh, launcher or "local", python)
        if found.has_source:  # it trains nothing, so that nothing hangs on what was chosen before
            found.choose({"predict": predict, "device": device or found.record["config"]["device"]})
        else:
            _check_same(found, asked)
        return found

    return launch_round(project, choose, launcher, python, patience_s, machine)


def launch_round(
    project: Project,
    choose: Callable[[], Round],
    launcher: str | None = None,
    python: WorkerPython | None = None,
    patience_s: float = LEAVING_SECONDS,
    machine: str = "",
) -> Round:
    """Launch the worker of the round that `choose` makes or finds, and hand it the project's training lock.

    Raises BusyError when the project is being trained.
    """
    lock = TrainingLock(project.path)
    if patience_s and ask_to_give_way(project):
        wait_s = GIVING_WAY_SECONDS
    else:
        wait_s = patience_s if _holder_leaves(project, lock) else 0.0
    lock.acquire("training", wait_s=wait_s)
    try:
        found = choose()
        former = JobRecord.read(found.job_path)
        if former is not None:
            former.wait(patience_s)
        if launcher is None:
            launcher, machine = (former.launcher, former.machine) if former and former.machine else ("local", "")
        chosen = () if python is None else (python.executable, python.environment)
        record = get_launcher(launcher, machine).launch(found, *chosen)
        lock.hand_to(record, found.title)
    except BaseException:
        lock.release()
        raise
    return found


def can_give_way(project: Project) -> bool:
    """Whether the job at work is predicting what is left, has ranked what it has, and some labels are new to it."""
    holder, latest = TrainingLock(project.path).busy(), project.latest_round()
    if holder is None or latest is None or holder.purpose != latest.title or not latest.ranking_path.exists():
        return False
    status, known = job_status(latest), latest.record.get("labels") or {}
    if (status.state, status.stage) != ("running", "predicting"):
        return False
    return not all(case.is_known_to(known) for case in project.labelled_cases())


def ask_to_give_way(project: Project) -> bool:
    """Ask such a job to end after the case at hand, as a finished one; whether there is one."""
    latest = project.latest_round()
    if latest is None or not can_give_way(project):
        return False
    write_text(latest.stop_path, GIVE_WAY)
    return True


def is_leaving(project: Project) -> bool:
    """Whether `start_training` would wait: a job of the project has said its last word, and ends in a moment."""
    latest = project.latest_round()
    record = None if latest is None else JobRecord.read(latest.job_path)
    if latest is not None and record is not None and record.alive() and job_status(latest).is_over:
        return True
    return _holder_leaves(project, TrainingLock(project.path))


def _holder_leaves(project: Project, lock: TrainingLock) -> bool:
    holder = lock.busy()
    if holder is None:
        return False
    return any(job_status(found).is_over for found in project.rounds() if holder.purpose == found.title)


def _resumable(project: Project) -> Round | None:
    latest = project.latest_round()
    if latest is None:
        return None
    state = job_status(latest).state
    unfinished = state == "failed" and latest.last_checkpoint_path.exists()
    abandoned = state in ("running", "queued")  # on another host: here the lock is ours, so nobody is at work any more
    return latest if state in RESUMABLE or unfinished or abandoned else None


_UNSAID = {"predict": "all"}
"""What it means where nothing was said."""

_NEW = {name: DEFAULTS[name] for name in ("plan", "pieces")}
"""Of what former versions knew no choice."""


def _check_same(found: Round, asked: dict[str, Any]) -> None:
    config = {**_NEW, **found.record["config"]}
    different = [
        f"--{name} {value} (it has {_UNSAID.get(name, 'none') if config.get(name) is None else config[name]})"
        for name, value in asked.items()
        if value is not None and value != config.get(name)
    ]
    if different:
        raise ProjectError(
            f"{found.title} is not finished and would be resumed, but not with "
            f"{', '.join(different)}: leave these out to go on with it, or add --new-round"
        )


def _new_round(
    project: Project, asked: dict[str, Any], fresh: bool, launcher: str, python: WorkerPython | None = None
) -> Round:
    labelled = project.labelled_cases()
    if not labelled:
        message = f"project {project.path} has no labelled case: label one with `metassl label` or in Slicer"
        raise ProjectError(message, ErrorCode.NOTHING_LABELLED)
    if asked["iterations"] is not None and asked["minutes"] is not None:
        raise ProjectError("give --iterations or --minutes, not both")
    config: dict[str, Any] = {name: asked[name] if asked[name] is not None else DEFAULTS.get(name) for name in asked}
    check_choice(config["framework"], config["loss"])
    if config["plan"] not in PLANS:
        raise ProjectError(f"there is no plan {config['plan']!r}: choose one of {', '.join(PLANS)}")
    if config["pieces"] not in PIECES:
        raise ProjectError(f"there is no choice of pieces {config['pieces']!r}: choose one of {', '.join(PIECES)}")
    if asked["minutes"] is None:
        config["minutes"] = QUALITIES[config["quality"]].minutes
    if asked["iterations"] is not None:
        config["minutes"] = None
    parent = None if fresh else project.start_round()
    made = project.new_round(
        round_record(
            config,
            parent,
            labels={case.id: case.label_version or "" for case in labelled},
            validation={case.id: case.label_version or "" for case in project.validation_cases()},
            unlabelled=[case.id for case in project.unlabelled_cases()],
            coverage={
                case.id: case.coverage or []
                for case in (*labelled, *project.validation_cases())
                if case.missing(project.values)
            },
            partial=[case.id for case in labelled if case.has_gaps],
            launcher=launcher,
            versions=None if python is None else python.versions,
        )
    )
    project.update_settings(shown_round=None, start_round=None)  # the new round is the newest choice
    return made


def round_record(
    config: dict[str, Any],
    parent: Round | None,
    *,
    labels: dict[str, str],
    validation: dict[str, str],
    unlabelled: list[str],
    coverage: Mapping[str, list[int]] | None = None,
    partial: Sequence[str] = (),
    launcher: str = "local",
    versions: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What round.json holds. labels, validation: {case id: label version}. versions: None for those of this Python.

    coverage: the values of the structures that the annotation of a case speaks about, for those that do not speak about
    all. partial: the labelled cases with voxels that are not annotated.
    """
    return {
        "config": config,
        "launcher": launcher,
        "parent": None if parent is None else parent.number,
        "labels": labels,
        "validation": validation,
        "unlabelled": unlabelled,
        **({"coverage": dict(coverage)} if coverage else {}),
        **({"partial": list(partial)} if partial else {}),
        "versions": engine_versions() if versions is None else {"metassl": __version__, **versions},
    }


def engine_versions() -> dict[str, str]:
    found = {"metassl": __version__}
    for package in ("torch", "monai", "SimpleITK", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def launcher_between(found: Round) -> int | None:
    """The process that the job's record names, when that is not this one but started it.

    PythonSlicer, or python.exe of a venv on Windows, starts the real interpreter as its child.
    """
    record = JobRecord.read(found.job_path)
    return record.pid if record is not None and record.pid == os.getppid() else None


def take_over(project: Project, found: Round) -> None:
    """Put right what a launcher or a worker that was killed has left. To be called with the training lock."""
    record = JobRecord.read(found.job_path)
    if record is not None and record.job and record.job == os.environ.get(JOB_VARIABLE):
        record.at_work_here().write(found.job_path)
    elif record is None or not record.alive():  # the launcher died before it could say which process this is
        JobRecord.of(os.getpid()).write(found.job_path)
    remove_leftovers(found.checkpoints, 0.0)  # nobody else writes there
    for folder in FOLDERS:
        remove_leftovers(project.path / folder)
