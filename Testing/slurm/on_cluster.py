"""A tiny project, and what its trainings on the cluster of the tests are asked and waited for."""

from __future__ import annotations

import time

from metassl.jobs import JobRecord, JobStatus, job_status
from metassl.jobs.start import start_training
from metassl.networks.checkpoint import load_checkpoint
from metassl.project import Project, Round

PATIENCE_S = 600.0
ENDS_S = 8.0
STEPS = 24
TRAINING = {"iterations": STEPS, "device": "cpu", "seed": 3}


def start(project: Project, **options) -> Round:
    return start_training(project, **{**TRAINING, **options}, launcher="slurm", machine="cluster")


def wait(found: Round, until=lambda status: status.is_over) -> JobStatus:
    end = time.monotonic() + PATIENCE_S
    while not until(status := job_status(found)):
        log = found.log_path.read_text(encoding="utf-8") if found.log_path.exists() else ""
        assert time.monotonic() < end, f"still {status}: {log}"
        time.sleep(0.1)
    return status


def trains(status, step: int = 1) -> bool:
    return status.state == "running" and status.stage == "training" and status.step >= step


def job_of(found) -> str:
    return JobRecord.read(found.job_path).job


def weights(found) -> dict:
    return load_checkpoint(found.last_checkpoint_path)["framework"]


def at_once(slurm, found) -> None:
    """Slurm lets a job that was put back wait for two minutes; a test only until what ran before is gone for sure.

    Begun sooner, it would be taken for the one that ends: "FAILED", with the exit code of that.
    """
    time.sleep(ENDS_S)
    slurm.run("scontrol", "update", f"jobid={job_of(found)}", "starttime=now")
