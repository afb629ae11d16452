"""Campaign: the memory runs out, in training at every rung of the ladder and below it, in calibration, in prediction.

The round must end with a model and say in its events what it gave up; at the end of the ladder, in one clear sentence.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from metassl.data.augment import Augmentation
from metassl.data.plan import Plan
from metassl.data.streams import PatchSampler, PreparedCase
from metassl.files import write_json
from metassl.frameworks import build_framework
from metassl.jobs import job_status, read_events
from metassl.jobs.start import round_record
from metassl.networks import memory_ladder
from metassl.networks.checkpoint import load_checkpoint
from metassl.project import Project, Round
from metassl.training import calibrate, predict, worker
from metassl.training.passes import Passes
from tiny_plan import tiny_plan

from .campaigns import Outcome
from .killed_worker_cohort import ball_project, on_one_core
from .out_of_memory_limit import Meter, steps_keep_at_most, windows_hold_at_most

ITERATIONS = 2
PLAN = tiny_plan(patch_zyx=(32, 16, 16), batch=(2, 2), classes=2)
SCALARS = 256
"""Bytes that the loop itself keeps."""
FULL = "the memory is full even with the smallest patch"
SYSTEM_KILOBYTES = 30 << 10
"""What a system that is full leaves: too little for the first step of anything."""


@dataclass(frozen=True)
class Rung:
    """message: "" for the plan as it is. needed: bytes that its steps keep at once."""

    message: str
    plan: Plan
    needed: int


def ladder(device: torch.device) -> list[Rung]:
    """PLAN and all rungs below it."""
    found, rung = [], (PLAN, device, False, "")
    while rung is not None:
        plan, where, checkpointing, message = rung
        found.append(Rung(message, plan, _needed(plan, where, checkpointing)))
        rung = memory_ladder.next_rung(plan, where, checkpointing)
    return found


def _needed(plan: Plan, device: torch.device, checkpointing: bool) -> int:
    torch.manual_seed(0)
    framework = build_framework("cps", plan, "metassl").to(device)
    if checkpointing:
        for network in framework.networks:
            memory_ladder.use_gradient_checkpointing(network)
    framework.run_on(device, plan.precision)
    image = torch.randn(1, 40, 40, 40).half().numpy()
    labels = (image[0] > 0).astype("uint8")
    cases = [PreparedCase("a", image, labels)], [PreparedCase("b", image)]
    batch = PatchSampler(plan, *cases, 0, Augmentation()).batch(0).to(device)
    return Meter().measure(lambda: framework.training_loss(batch, 0.5)) + SCALARS


def new_round(project: Project, device: str = "cpu", plan: Plan = PLAN) -> Round:
    """A round that is to be done with the plan."""
    config = {
        "framework": "cps",
        "loss": "metassl",
        "device": device,
        "seed": 1,
        "minutes": None,
        "iterations": ITERATIONS,
    }
    labels = {case.id: case.label_version for case in project.labelled_cases()}
    unlabelled = [case.id for case in project.unlabelled_cases()]
    found = project.new_round(round_record(config, None, labels=labels, validation={}, unlabelled=unlabelled))
    write_json(found.plan_path, plan.to_json())
    return found


def work(found: Round) -> int:
    """Do the job of the round in this process; the exit code of its worker."""
    signals = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    threads = torch.get_num_threads()
    try:
        with on_one_core(), contextlib.redirect_stderr(io.StringIO()):
            return worker.main([str(found.project_path), str(found.number)])
    finally:
        torch.set_num_threads(threads)
        for number, handler in signals.items():
            signal.signal(number, handler)


def rungs_of(found: Round) -> list[str]:
    """What the round gave up, as its events say it."""
    return [event.rung for event in read_events(found.events_path) if event.event == "memory"]


def problem_of(found: Round, rungs: list[str], ends: bool = False) -> str:
    """What is not as it must be after the round; "" when all is well. ends: the ladder was too short."""
    status = job_status(found)
    if (given_up := rungs_of(found)) != rungs:
        return f"it gave up {given_up}, not {rungs}"
    if ends:
        said = status.state == "failed" and status.message.startswith(FULL)
        return "" if said and not found.model_path.exists() else f"it {status.state}: {status.message}"
    if status.state != "finished" or load_checkpoint(found.model_path)["step"] != ITERATIONS:
        return f"it {status.state}: {status.message}"
    if status.failed_cases or found.predicted_cases() != found.record["unlabelled"]:
        return f"it left out {status.failed_cases}"
    if any(f"out of memory: going on with {rung}" not in status.warnings for rung in rungs if "windows" not in rung):
        return f"it does not say so: {status.warnings}"
    return ""


def training_problems(project: Project, times: int, rng: random.Random) -> Iterator[str]:
    rungs = ladder(torch.device("cpu"))
    for number in range(times):
        down = 1 + number % len(rungs)
        least = rungs[down].needed if down < len(rungs) else 0
        limit = rng.randrange(least, rungs[down - 1].needed)
        with steps_keep_at_most(limit):
            work(found := new_round(project))
        yield problem_of(found, [rung.message for rung in rungs[1 : down + 1]], ends=down == len(rungs))


def windows_problems(project: Project, times: int, rng: random.Random) -> Iterator[str]:
    patch = (48, 24, 24)
    plan = replace(PLAN, batch=(1, 1), patch_zyx=patch)
    for number in range(times):
        found = new_round(project, plan=plan)
        limit = rng.randrange(24**3, 2 * 24**3)  # a window of 24³ voxels is taken, one of the whole patch is not
        step, name = (predict, "predict_into") if number % 2 else (calibrate, "calibrate_thresholds")
        rungs = ["in windows of 24 x 24 x 24"] * len(found.record["unlabelled"])
        whole, keep = getattr(step, name), Passes.keep
        setattr(step, name, _limited(whole, limit))
        if step is predict:
            Passes.keep = lambda self, case_id, made: None  # else prediction has nothing left to compute
        try:
            work(found)
        finally:
            setattr(step, name, whole)
            Passes.keep = keep
        yield problem_of(found, rungs)


def _limited(call, voxels: int):
    def limited(*arguments, **options):
        with windows_hold_at_most(voxels):
            return call(*arguments, **options)

    return limited


def system_problems(project: Project, times: int) -> Iterator[str]:
    for _ in range(times):
        found = new_round(project)
        command = [sys.executable, "-m", "faults.out_of_memory_child", str(project.path)]
        paths = os.pathsep.join(path for path in sys.path if path)
        with on_one_core():
            subprocess.run(
                [*command, str(found.number), str(SYSTEM_KILOBYTES)],
                env={**os.environ, "PYTHONPATH": paths},
                capture_output=True,
            )
        yield problem_of(found, rungs_of(found), ends=True)


def run(times: int, folder: Path, seed: int) -> list[Outcome]:
    """An outcome for training, for calibration and prediction, and on Linux for a true limit of the system."""
    rng = random.Random(seed)
    project = ball_project(folder / "project", folder / "images")
    kinds = {
        "out of memory in training, at each rung": training_problems(project, times, rng),
        "out of memory in calibration and prediction": windows_problems(project, max(times // 4, 2), rng),
    }
    if sys.platform == "linux":
        kinds["out of memory by the system's limit"] = system_problems(project, max(times // 8, 1))
    outcomes = []
    for fault, problems in kinds.items():
        found = list(problems)
        lost = sum(map(bool, found))
        said = job_status(project.latest_round())
        message = next(filter(None, found), said.message or (said.warnings or [""])[-1])
        outcomes.append(Outcome(fault, len(found), lost, len(found) - lost, message))
    return outcomes
