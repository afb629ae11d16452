"""Start the process of a peer, wait for it, and stop it when this is stopped."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import metassl
from metassl.files.atomic import make_folder
from metassl.files.errors import BusyError, MetaSSLError
from metassl.files.locks import file_lock
from metassl.jobs.process import kill

import metassl_research
from metassl_research.experiment import STOP_SECONDS, end_on_sigterm
from metassl_research.peers.training.job import TrainingJob
from metassl_research.peers.training.timed import STOPPED

SCRIPT = Path(__file__).parent / "training" / "elsewhere.py"
PLACES = [str(Path(str(package.__file__)).parent) for package in (metassl, metassl_research)]


def trained_elsewhere(job: TrainingJob, python: str) -> dict[str, Any]:
    """What came of it, see `TrainingJob.found`. What is done is not done again, what was stopped or killed goes on.

    Ctrl-C stops it at its next step. MetaSSLError with the end of its log when it failed; BusyError while a process
    that outlived a former command still trains there.
    """
    if (found := job.found()) is not None:
        return found
    make_folder(job.path)
    try:
        with file_lock(job.lock_path, 0.0):
            pass
    except BusyError as error:
        raise BusyError(
            f"{job.path} is still trained by a process that outlived a former command: let it end, which its "
            f"{job.log_path.name} tells, or end it, and type the same command again"
        ) from error
    job.write()
    end_on_sigterm()
    command = [python, str(SCRIPT), str(job.path), *PLACES]
    with open(job.log_path, "ab") as log:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment(job), start_new_session=True
            )
        except OSError as error:
            raise MetaSSLError(f"cannot start {python}: {error.strerror or error}") from error
    try:
        code = process.wait()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            kill(process.pid)
        raise
    if code == STOPPED:
        raise KeyboardInterrupt
    found = job.found()
    if code or found is None:
        raise MetaSSLError(f"{job.peer} failed: {_last_line(job.log_path)}; see {job.log_path}")
    return found


def has_package(python: str, package: str) -> bool:
    """Whether that Python has it. MetaSSLError where it cannot be started, or is no Python."""
    looked = f"import importlib.util; print(importlib.util.find_spec({package!r}) is not None)"
    try:
        done = subprocess.run(
            [python, "-c", looked], env=_plain(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
        )
    except OSError as error:
        raise MetaSSLError(f"cannot start {python}: {error.strerror or error}") from error
    except subprocess.TimeoutExpired as error:
        raise MetaSSLError(f"{python} does not answer as a Python would") from error
    if (answer := done.stdout.strip()) not in ("True", "False"):
        raise MetaSSLError(f"{python} does not answer as a Python would: {(done.stderr or answer).strip()[-200:]}")
    return answer == "True"


def _environment(job: TrainingJob) -> dict[str, str]:
    return {**_plain(), "OMP_NUM_THREADS": str(job.threads), "GOMP_SPINCOUNT": "30000"}


def _plain() -> dict[str, str]:
    """Without what would have that Python find the packages of this one."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text("utf-8", errors="replace").splitlines()]
    return next((line for line in reversed(lines) if line), "its log is empty")
