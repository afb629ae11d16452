"""The first step: the plan of the round, the model that it starts from, and all its cases on the plan's grid."""

from __future__ import annotations

import time
from dataclasses import replace

import torch

from metassl.data.plan import Plan, by
from metassl.files.errors import ProjectError
from metassl.inference.model import ELSEWHERE, TrainedModel
from metassl.networks.device import memory_bytes
from metassl.project.rounds import Round
from metassl.training.inputs import Inputs
from metassl.training.job import Job

REPORT_SECONDS = 1.0


def choose_plan(job: Job) -> tuple[Plan, TrainedModel | None]:
    """The plan, and the model of the parent round where its network is that of the plan."""
    parent = _parent(job)
    plan = job.reader.plan(job.device.type, memory_bytes(job.device), parent.plan if parent else None)
    if job.processes.size > plan.batch[0] and job.processes.is_first and job.kept_step() is None:
        plan = for_processes(plan, job.processes.size)
        job.reader.write_plan(plan)
    job.emit("plan", summary=plan.describe(), **plan.to_json())
    if parent is not None and not plan.has_network_of(parent.plan):
        what = (
            "of another size, for another device or quality"
            if plan.is_flat == parent.plan.is_flat
            else "for another plan (2d or 3d)"
        )
        job.warn(f"the network of round {job.round.record['parent']:04d} is {what}: starting afresh")
        parent = None
    elif parent is not None and plan.spacing_zyx != parent.plan.spacing_zyx:
        number, before, now = job.round.record["parent"], *map(by, (parent.plan.spacing_zyx, plan.spacing_zyx))
        job.warn(f"images are seen at {now} mm now, at {before} in round {number:04d}: going on from its weights")
    return plan, parent


def for_processes(plan: Plan, size: int) -> Plan:
    """With a batch of which each process gets a labelled and an unlabelled patch at least."""
    labelled, unlabelled = plan.batch
    times = -(-size // min(labelled, unlabelled or labelled))
    return replace(plan, batch=(times * labelled, times * unlabelled))


def prepare(job: Job, plan: Plan) -> Inputs:
    """The cases, out of the cache. One that fails is reported and left out."""
    job.emit("stage", stage="preparing", total=None)
    reported = time.monotonic()

    def progress(done: int, total: int) -> None:
        nonlocal reported
        job.stop_if_requested()
        if time.monotonic() - reported > REPORT_SECONDS or done == total:
            reported = time.monotonic()
            job.progress("preparing", done, total)

    inputs = job.reader.prepare(plan, progress)
    trained = job.round.model_path.exists() and not job.round.has_source
    if trained and not job.round.last_checkpoint_path.exists():
        raise ProjectError(f"{job.round.path} has a model but no checkpoint to go on from")
    return inputs


def _parent(job: Job) -> TrainedModel | None:
    """The model to start from, when it has the same channels and framework; structures may have been added since."""
    number = job.round.record.get("parent")
    if number is None or job.round.last_checkpoint_path.exists():
        return None
    path = Round(job.round.path.with_name(f"{number:04d}")).model_path
    if not path.exists():
        return None
    try:
        model = TrainedModel.load(path, torch.device("cpu"))
    except ProjectError as error:
        job.warn(f"starting afresh: {error}")
        return None
    values = job.project.values
    other = model.framework not in (job.config["framework"], ELSEWHERE)
    if not set(model.values) <= set(values) or other:
        job.warn(f"round {number:04d} has other labels or another framework: starting afresh")
        return None
    if model.values == values:
        return model
    new = [label.name for label in job.project.labels if label.value not in model.values]
    told = f"round {number:04d} does not know {', '.join(new)}: going on from its weights, with a new output"
    job.emit("structures", parent=number, new=new, message=told + "s" * (len(new) > 1))
    return model.with_outputs_of(values)
