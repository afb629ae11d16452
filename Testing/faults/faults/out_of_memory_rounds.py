"""Rounds that are done with too little memory, one after the other, and what came of them."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from metassl.data.plan import Plan
from metassl.jobs import JobStatus, job_status, read_events
from metassl.project import Project, Round, write_json
from metassl.training.start import round_record

TESTING = Path(__file__).resolve().parents[2]
PATHS = [str(TESTING / "faults"), str(TESTING.parent / "MetaSSLSlicer")]
ITERATIONS = 1
PLAN = Plan(
    axes="patient",
    spacing_zyx=(1.0, 1.0, 1.0),
    source_spacing_zyx=(1.0, 1.0, 1.0),
    patch_zyx=(48, 24, 24),
    batch=(2, 2),
    intensity=({"scheme": "robust_zscore"},),
    filters=(32, 8, 8, 8),
    kernels=((1, 1, 1), (3, 3, 3), (3, 3, 3), (3, 3, 3)),
    strides=((1, 1, 1), (2, 2, 2), (2, 2, 2), (2, 2, 2)),
    in_channels=1,
    classes=2,
    precision="fp32",
)
LADDER = ("batch 1 + 1", "patch 24 x 24 x 24", "gradient checkpointing")
"""The rungs of this plan on a CPU. The last patch is still so large that gradient checkpointing matters."""


@dataclass
class Ending:
    """What came of one round: its rungs, its state and message, the cases predicted and those left out, with why."""

    number: int
    code: int
    rungs: tuple[str, ...]
    status: JobStatus
    has_model: bool
    predicted: list[str]

    @staticmethod
    def of(found: Round, code: int) -> Ending:
        rungs = tuple(event["rung"] for event in read_events(found.events_path) if event["event"] == "memory")
        return Ending(found.number, code, rungs, job_status(found), found.model_path.exists(), found.predicted_cases())


class ScarceWorkers:
    """Does rounds of a project with little memory. Use it in a with block: one process, which forks for each."""

    def __init__(self, project: Project, plan: Plan = PLAN) -> None:
        self.project, self.plan = project, plan

    def __enter__(self) -> ScarceWorkers:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(PATHS), "OMP_NUM_THREADS": "1"}
        environment |= {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536"}  # what is freed is free at once
        command = [sys.executable, "-m", "faults.out_of_memory_child", str(self.project.path)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, env=environment, **pipes)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def round_with(self, room_mb: float, stage: str = "training", validation: bool = False) -> Ending:
        """A new round whose worker gets `room_mb` more from the begin of `stage` on."""
        project = self.project
        measured = project.validation_cases() if validation else []
        config = {"host": "cps", "loss": "metassl", "device": "cpu", "seed": 1, "minutes": None}
        record = round_record(
            {**config, "iterations": ITERATIONS},
            None,
            labels={case.id: case.label_version for case in project.labelled_cases()},
            validation={case.id: case.label_version for case in measured},
            unlabelled=[case.id for case in project.unlabelled_cases()],
        )
        found = project.new_round(record)
        write_json(found.plan_path, self.plan.to_json())
        print(found.number, int(1024 * room_mb), stage, file=self.process.stdin, flush=True)
        return Ending.of(found, int(self.process.stdout.readline()))
