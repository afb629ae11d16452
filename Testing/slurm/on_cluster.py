"""A tiny project, and what its trainings on the cluster of the tests are asked and waited for."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from metassl.jobs import JobRecord, JobStatus, job_status
from metassl.jobs.start import start_training
from metassl.networks.checkpoint import load_checkpoint
from metassl.project import LabelDefinition, Project, Round
from metassl.project.cases import Case

PATIENCE_S = 600.0
STEPS = 24
TRAINING = {"iterations": STEPS, "device": "cpu", "seed": 3}


def balls(folder: Path, more: int = 0) -> Project:
    """Six 16³ images of a bright ball, two of them labelled, one for validation; and `more` without a label."""
    made = Project.create(folder / "project", "Balls", [LabelDefinition(3, "Ball")], ["MR"])
    z, y, x = np.mgrid[:16, :16, :16]
    for index in range(6 + more):
        rng = np.random.default_rng(index)
        centre = rng.uniform(6, 10, 3)
        ball = (z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 < 16
        path = folder / f"ball{index}.nii.gz"
        sitk.WriteImage(
            sitk.GetImageFromArray((ball * 2 + rng.normal(0, 0.3, ball.shape)).astype(np.float32)), str(path)
        )
        made.add_cases([Case(f"ball{index}", [str(path)], "validation" if index == 5 else "pool")])
        if index in (0, 1, 5):
            sitk.WriteImage(sitk.GetImageFromArray((ball * 3).astype(np.uint8)), str(folder / "label.nrrd"))
            made.add_label(f"ball{index}", folder / "label.nrrd")
    return made


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
    """Slurm lets a job that was put back wait for two minutes; a test does not."""
    slurm.run("scontrol", "update", f"jobid={job_of(found)}", "starttime=now")
