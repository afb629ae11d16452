"""What is asked of the engine on the other computer. The agent calls these; all goes in and out as JSON."""

from __future__ import annotations

import os
import secrets
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metassl.files.atomic import make_folder, write_text, writing
from metassl.files.errors import ProjectError
from metassl.jobs.launcher import STOP, LocalLauncher, get_launcher, launcher_of, start_detached
from metassl.jobs.liveness import job_status
from metassl.jobs.lock import JOB_VARIABLE, TrainingLock
from metassl.jobs.process import kill as kill_process
from metassl.jobs.record import JobRecord
from metassl.project.making import FOLDERS
from metassl.project.rounds import Round, round_path

from ..machine import Machine
from ..site import write_machine

_EVENT_BYTES, _LOG_BYTES = 256 << 10, 64 << 10


def standing(project: str, number: int) -> dict[str, Any]:
    """Whether the round is there, and where it stands; who else trains in that folder."""
    found = _round(project, number)
    holder = TrainingLock(found.project_path).busy() if found.project_path.is_dir() else None
    return {
        "is_there": found.record_path.is_file(),
        "busy": "" if holder is None else holder.purpose,
        "status": job_status(found).to_json(),
    }


def prepare(project: str, number: int, is_new: bool) -> None:
    """Folders for what is about to be sent. is_new: what lies there of the round is older than what comes."""
    found = _round(project, number)
    if is_new and found.path.is_dir():
        found.path.rename(found.path.with_name(f".former-{found.path.name}-{secrets.token_hex(4)}"))
    for folder in (*(Path(project) / name for name in FOLDERS), found.checkpoints, found.predictions):
        make_folder(folder)


def launch(
    project: str, number: int, python: str, environment: Mapping[str, str], slurm: Mapping[str, Any] | None
) -> dict[str, int]:
    """Start the worker there, or hand it to Slurm; how long its history and its log are by then.

    slurm: the machine as a cluster, with its name.
    """
    found = _round(project, number)
    lengths = {"events": _size(found.events_path), "log": _size(found.log_path)}
    if slurm is None:
        LocalLauncher().launch(found, python, {**os.environ, **environment})
    else:
        machine = Machine.of_json(slurm["name"], {name: value for name, value in slurm.items() if name != "name"})
        write_machine(machine)
        _hand_to_slurm(found, machine)
    return lengths


def _hand_to_slurm(found: Round, machine: Machine) -> None:
    lock = TrainingLock(found.project_path)
    lock.acquire(found.title)
    try:
        record = get_launcher(machine.kind, machine.name).launch(found)
        lock.hand_to(record, found.title)
    except BaseException:
        lock.release()
        raise


def start(project: str, number: int, python: str, environment: Mapping[str, str], token: str, jobs: str) -> None:
    """Start the worker of a round in a folder that both computers share, where the other one keeps its record.

    jobs: the folder that keeps, under the token, which process that is.
    """
    found = _round(project, number)
    if not found.record_path.is_file():
        raise ProjectError(f"there is no {found.record_path}: is the shared folder mounted, and the map of it right?")
    command = [python, "-m", "metassl.training.worker", project, str(number)]
    with writing(found.log_path), open(found.log_path, "ab") as log:
        process = start_detached(command, log, {**os.environ, **environment, JOB_VARIABLE: token})
    threading.Thread(target=process.wait, daemon=True).start()
    JobRecord.of(process.pid, python=python).write(make_folder(Path(jobs)) / f"{token}.json")


def job_lives(token: str, jobs: str) -> bool:
    """Whether the process of that token is there."""
    record = JobRecord.read(Path(jobs) / f"{token}.json")
    return record is not None and record.alive()


def kill_job(token: str, jobs: str) -> bool:
    """End it at once; whether there was one."""
    record = JobRecord.read(Path(jobs) / f"{token}.json")
    if record is None or not record.alive():
        return False
    kill_process(record.pid)
    return True


def look(project: str, number: int, events: int, log: int, since: int) -> dict[str, Any]:
    """Where the job stands, what it has told since, the files that are newer than `since` (ns), and the room left."""
    found = _round(project, number)
    status = job_status(found)  # first: what it speaks of is then among the rest
    told, events = _whole_lines(found.events_path, events, _EVENT_BYTES)
    said, log = _whole_lines(found.log_path, log, _LOG_BYTES)
    return {
        "status": status.to_json(),
        "told": told,
        "events": events,
        "said": said,
        "log": log,
        "files": _files(found.path, since),
        "free": shutil.disk_usage(found.path).free,
    }


def has_left(project: str, number: int) -> bool:
    """Whether the process of a job that is over has ended, too."""
    found = _round(project, number)
    record = JobRecord.read(found.job_path)
    return (record is None or not record.alive()) and TrainingLock(found.project_path).busy() is None


def stop(project: str, number: int, text: str) -> None:
    """Ask the job to end, in the words of the file `stop`."""
    found = _round(project, number)
    if text == STOP:
        launcher_of(found).stop(found)
    else:
        write_text(found.stop_path, text)


def want(project: str, number: int, case: str) -> None:
    """Somebody waits for this case."""
    _round(project, number).want(case)


def kill(project: str, number: int) -> bool:
    """End the job of a copied project at once; whether there was one."""
    found = _round(project, number)
    return launcher_of(found).stop_now(found)


def _round(project: str, number: int) -> Round:
    return Round(round_path(Path(project) / "rounds", number))


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _whole_lines(path: Path, start: int, limit: int) -> tuple[str, int]:
    """Whole lines from there on, and where the next ones will begin."""
    try:
        with open(path, "rb") as stream:
            stream.seek(start)
            data = stream.read(limit)
            if len(data) == limit and b"\n" not in data:
                data += stream.readline()
    except FileNotFoundError:
        return "", start
    except OSError as error:
        raise ProjectError(f"cannot read {path}: {error.strerror or error}") from error
    data = data[: data.rfind(b"\n") + 1]
    return data.decode("utf-8", "replace"), start + len(data)


def _files(folder: Path, since: int) -> list[tuple[str, int, int]]:
    """[name from the round's folder on, size, time of change] of what is whole and newer."""
    found = []
    for place, _folders, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            if name.startswith("."):
                continue
            try:
                stat = path.stat()
            except OSError:
                continue  # it is being replaced: seen the next time
            if stat.st_mtime_ns > since:
                found.append((path.relative_to(folder).as_posix(), stat.st_size, stat.st_mtime_ns))
    return found
