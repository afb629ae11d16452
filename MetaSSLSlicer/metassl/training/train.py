"""The step that trains: as long as was asked for, down the memory ladder where the memory is too small."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch

from metassl.data.augment import Augmentation
from metassl.data.plan import Plan
from metassl.data.streams import PatchSampler
from metassl.files.errors import ErrorCode, MetaSSLError
from metassl.frameworks import build_framework
from metassl.frameworks.base import Shares
from metassl.inference.cost import MAPS_SECONDS, pass_seconds
from metassl.inference.model import ELSEWHERE, TrainedModel
from metassl.networks import memory_ladder
from metassl.networks.mixed import go_part_of_the_way, share_of
from metassl.project.rounds import Round, source_of
from metassl.training.calibrate import calibration_cases
from metassl.training.eta import Budget
from metassl.training.inputs import Inputs
from metassl.training.job import Job, Stopped
from metassl.training.loop import ALL, Trainer
from metassl.training.watch import ValidationWatch

RESERVED_SECONDS = 1.0  # of a time budget, for thresholds, files, a ranking
LARGEST_RESERVE = 0.5  # of it
CAREFUL = Shares(encoder=0.025, decoder=0.25)
"""Where a model from elsewhere is trained on: what it knows is kept (docs/start_from_a_model.md)."""
GENTLE = Shares(encoder=0.01, decoder=0.05, output=0.1)
"""The same where it knows all structures."""


class Trained(NamedTuple):
    """The pair of networks whose agreement the map shows, the plan that fitted into the memory, the steps done."""

    networks: tuple[torch.nn.Module, torch.nn.Module]
    plan: Plan
    step: int


def train(job: Job, plan: Plan, inputs: Inputs, parent: TrainedModel | None) -> Trained:
    """Train, or go on from the checkpoint. A stop that is asked for ends it early."""
    job.emit("stage", stage="training", total=job.config["iterations"])
    checkpointing = False
    _leave_time_to_train(job)
    while True:
        try:
            return _kept(job, _run(build_trainer(job, plan, inputs, parent, checkpointing)))
        except memory_ladder.OUT_OF_MEMORY_ERRORS as error:
            if not memory_ladder.is_out_of_memory(error):
                raise
            if job.processes.size > 1:
                raise MetaSSLError(
                    f"the memory of one of {job.processes.size} GPUs is full: train on one first, which finds what "
                    "fits, then go on with more",
                    ErrorCode.OUT_OF_MEMORY,
                ) from error
        rung = memory_ladder.next_rung(plan, job.device, checkpointing)
        if rung is None:
            raise MetaSSLError(
                "the memory is full even with the smallest patch: close other programs, or use a machine with more "
                "memory",
                ErrorCode.OUT_OF_MEMORY,
            )
        plan, job.device, checkpointing, message = rung
        if job.device.type == "cuda":
            torch.cuda.empty_cache()
        job.emit("memory", rung=message, message=f"out of memory: going on with {message}")
        job.reader.write_plan(plan)


def _run(trainer: Trainer) -> Trained:
    try:
        trainer.run()
    except Stopped:
        pass  # the checkpoint is written, and the model so far is of use
    if trainer.validate is not None and trainer.finished:
        trainer.validate(trainer.step)
    first, second = trainer.framework.inference_pair()
    return Trained((first.eval(), second.eval()), trainer.sampler.plan, trainer.step)


def _kept(job: Job, trained: Trained) -> Trained:
    """Of a model that knew all structures, with as much of what it knew as so many steps do not outweigh."""
    if _rates(job) is GENTLE:
        parent = Round(job.round.path.with_name(f"{job.round.record['parent']:04d}"))
        before = TrainedModel.load(parent.model_path, torch.device("cpu")).with_outputs_of(job.project.values)
        for network, began in zip(trained.networks, before.networks, strict=True):
            go_part_of_the_way(network, began, share_of(trained.step))
    return trained


def _rates(job: Job) -> Shares:
    source = source_of(job.round)
    if source is None:
        return ALL
    knows_all = all(str(value) in source["values"] for value in job.project.values[1:])
    return GENTLE if knows_all else CAREFUL


def _leave_time_to_train(job: Job) -> None:
    """Reading many or large images may take most of the time that was asked for."""
    minutes = job.config["minutes"]
    latest = job.clock() - 30.0 * (minutes or 0.0)
    if minutes is not None and job.started < latest:
        job.started = latest
        job.warn("reading the images took long: the training ends later than asked for")


def build_trainer(job: Job, plan: Plan, inputs: Inputs, parent: TrainedModel | None, checkpointing: bool) -> Trainer:
    """The trainer of the round, with the weights of its checkpoint, or of its parent, or fresh ones."""
    seed, minutes = int(job.config["seed"]), job.config["minutes"]
    torch.manual_seed(seed)
    framework = build_framework(job.config["framework"], plan, job.config["loss"])
    if parent is not None:
        begin = framework.begin_with if parent.framework == ELSEWHERE else framework.start_from
        begin(parent.networks)
        framework.taught = True
    if checkpointing:
        for network in framework.networks:
            memory_ladder.use_gradient_checkpointing(network)
    framework.run_on(job.device, plan.precision)
    framework.share_among(job.processes)
    watch = None
    if inputs.validation and job.processes.is_first:
        best, labels = job.round.best_path, job.project.labels
        watch = ValidationWatch(
            framework, plan, inputs.validation, labels, job.device, best, job.emit, job.tell_of_memory
        )
    seconds = None if minutes is None else 60.0 * minutes
    reserve = seconds_until_review(job, plan, inputs, framework.inference_pair())
    if seconds is not None:
        reserve = min(reserve, LARGEST_RESERVE * seconds)
    trainer = Trainer(
        framework,
        PatchSampler(plan, inputs.labelled, inputs.unlabelled, seed, augmentation(job, plan)),
        Budget(job.config["iterations"], None if seconds is None else max(seconds - reserve, 1.0)),
        device=job.device,
        precision=plan.precision,
        seed=seed,
        checkpoint_path=job.round.last_checkpoint_path,
        emit=job.emit,
        stop_requested=lambda: job.stop_requested,
        validate=watch,
        clock=job.clock,
        started=job.started,
        afterwards=reserve,
        shares=_rates(job),
    )
    if job.round.last_checkpoint_path.exists():
        trainer.resume()
    return trainer


def seconds_until_review(job: Job, plan: Plan, inputs: Inputs, networks: Sequence[torch.nn.Module]) -> float:
    """From the last step until the first case can be reviewed: calibration, what is measured, and its prediction."""
    chosen, validation = calibration_cases(inputs), inputs.validation
    modes = [network.training for network in networks]
    for network in networks:
        network.eval()
    one = pass_seconds(networks, chosen[0].image, plan, job.device, job.clock)
    for network, mode in zip(networks, modes, strict=True):
        network.train(mode)
    finer = math.prod(plan.spacing_zyx) / math.prod(plan.source_spacing_zyx)
    maps: float = MAPS_SECONDS * chosen[0].image[0].size * finer / torch.get_num_threads()
    return RESERVED_SECONDS + len(chosen) * one + len(validation) * (one + maps) + maps


def augmentation(job: Job, plan: Plan) -> Augmentation:
    """In the plane only for stacks; mirrored where the project's settings, or the model from elsewhere, allow it."""
    mirrored = () if plan.given is None else plan.given.mirror_axes  # in its predictions it is
    axes = tuple(job.project.settings.get("mirror_axes", mirrored))
    made = Augmentation.of_stacks(axes) if plan.is_stack else Augmentation(mirror_axes=axes)
    return made if plan.given is None else replace(made, outside="zeros")  # as in `inference.elsewhere.windows`
