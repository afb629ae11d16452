"""The job of one round, in its own process: prepare → train → calibrate → predict → rank.

python -m metassl.training.worker PROJECT ROUND
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from metassl.choices.strategies import DEFAULT_STRATEGY
from metassl.data.augment import Augmentation
from metassl.data.plan import Plan
from metassl.data.streams import PatchSampler
from metassl.files.errors import ErrorCode, MetaSSLError, ProjectError, code_of
from metassl.files.json_files import write_json
from metassl.frameworks import build_framework
from metassl.frameworks.base import Framework
from metassl.inference.calibration import calibrate_thresholds
from metassl.inference.error_model import ErrorModel
from metassl.inference.labelled_cases import write_labelled_cases
from metassl.inference.measured import measured_error_rates
from metassl.inference.model import TrainedModel
from metassl.inference.predict import predict_into, predicted_by
from metassl.inference.region_map import SYMMETRIC
from metassl.inference.smaller_windows import predict_case
from metassl.jobs.lock import TrainingLock
from metassl.jobs.recap import RecapWriter
from metassl.jobs.start import launcher_between, take_over
from metassl.networks import memory
from metassl.networks.checkpoint import load_checkpoint
from metassl.networks.device import (
    choose_device,
    device_name,
    gpu_problem,
    keep_to_gpu_memory,
    memory_bytes,
    usable_cores,
)
from metassl.project.cases import Case
from metassl.project.project import Project
from metassl.project.records import ErrorRates
from metassl.project.round_files import read_ranking, read_summary
from metassl.project.rounds import Round, config_to_train
from metassl.project.words import duration
from metassl.selection.rank import rank
from metassl.training.inputs import InputReader, Inputs
from metassl.training.loop import Stopped, Trainer
from metassl.training.predicted_marks import PredictedMarks
from metassl.training.schedule import Budget, clock
from metassl.training.watch import ValidationWatch

CALIBRATION_CASES = 16
CALIBRATION_CASES_WHEN_STOPPED = 4
RESERVED_SECONDS = 4.0  # of a time budget, for calibration


class Job:
    """One round from its record to its ranking. Every stage that is already done is skipped."""

    def __init__(self, project: Project, found: Round, emit: Callable[..., object]):
        self.project, self.round, self.emit = project, found, emit
        self.config = config_to_train(found.record, found.record_path)
        self.terminated = False
        self.definition = project.settings.get("region_map", SYMMETRIC)
        self.device = choose_device(self.config["device"])
        keep_to_gpu_memory(self.device)
        torch.set_num_threads(usable_cores())
        self.clock = clock(self.config.get("clock", "wall"), usable_cores())
        self.started = self.clock()

    def run(self) -> None:
        self._announce()
        self.reader = InputReader(self.project, self.round, self.emit)
        parent = self._parent()
        plan = self.reader.plan(self.device.type, memory_bytes(self.device), parent.plan if parent else None)
        self.emit("plan", summary=plan.describe(), **plan.to_json())
        if parent is not None and not plan.has_network_of(parent.plan):
            number = self.round.record["parent"]
            message = f"the network of round {number:04d} is of a size for another device: starting afresh"
            self.emit("warning", message=message)
            parent = None
        inputs = self._prepare(plan)
        if self.round.model_path.exists() and not self.round.last_checkpoint_path.exists():
            raise ProjectError(f"{self.round.path} has a model but no checkpoint to go on from")
        model = self._train(plan, inputs, parent)
        measured = self._measure(model)
        write_labelled_cases(self.project, self.round, model, inputs.labelled)
        self._predict(model, measured)
        self._rank()
        self.emit("finished", seconds=round(self.clock() - self.started, 1))

    def stop_requested(self) -> bool:
        return self.terminated or self.round.stop_path.exists()

    # ------------------------------------------------------------------ stages

    def _announce(self) -> None:
        self.emit(
            "started",
            device=self.device.type,
            device_name=device_name(self.device),
            threads=torch.get_num_threads(),
            pid=os.getpid(),
            resumed_from=self.resumed_step(),
            versions=self.round.record["versions"],
        )
        if self.device.type == "cpu" and self.config["device"] == "auto":
            minutes = f" for {duration(60 * self.config['minutes'])}" if self.config["minutes"] else ""
            if problem := gpu_problem():
                self.emit("warning", message=f"the GPU cannot be used ({problem}): training on the CPU{minutes}")
            elif minutes:
                self.emit("warning", message=f"no GPU was found: training on the CPU{minutes}")

    def resumed_step(self) -> int | None:
        path = self.round.last_checkpoint_path
        return load_checkpoint(path, step=int)["step"] if path.exists() else None

    def _parent(self) -> TrainedModel | None:
        """The model to start from, when it has the same channels, labels and framework."""
        number = self.round.record.get("parent")
        if number is None or self.round.last_checkpoint_path.exists():
            return None
        path = Round(self.round.path.with_name(f"{number:04d}")).model_path
        if not path.exists():
            return None
        try:
            model = TrainedModel.load(path, torch.device("cpu"))
        except ProjectError as error:
            self.emit("warning", message=f"starting afresh: {error}")
            return None
        if model.values != self.project.values or model.framework != self.config["framework"]:
            self.emit(
                "warning",
                message=f"round {number:04d} has other labels or another framework: starting afresh",
            )
            return None
        return model

    def _prepare(self, plan: Plan) -> Inputs:
        self.emit("stage", stage="preparing", total=None)
        reported = time.monotonic()

        def progress(done: int, total: int) -> None:
            nonlocal reported
            if self.stop_requested():
                raise Stopped
            if time.monotonic() - reported > 1 or done == total:
                reported = time.monotonic()
                self.emit("progress", stage="preparing", step=done, total=total, eta_s=None)

        return self.reader.prepare(plan, progress)

    def _train(self, plan: Plan, inputs: Inputs, parent: TrainedModel | None) -> TrainedModel:
        self.emit("stage", stage="training", total=self.config["iterations"])
        checkpointing = False
        self._leave_time_to_train()
        while True:
            try:
                trainer = self._trainer(plan, inputs, parent, checkpointing)
                trainer.run()
                return self._calibrated(trainer, inputs, CALIBRATION_CASES)
            except Stopped:
                self._calibrated(trainer, inputs, CALIBRATION_CASES_WHEN_STOPPED)
                raise
            except memory.OUT_OF_MEMORY_ERRORS as error:
                if not memory.is_out_of_memory(error):
                    raise
            trainer = None
            rung = memory.next_rung(plan, self.device, checkpointing)
            if rung is None:
                raise MetaSSLError(
                    "the memory is full even with the smallest patch: close other programs, or use a machine "
                    "with more memory",
                    ErrorCode.OUT_OF_MEMORY,
                )
            plan, self.device, checkpointing, message = rung
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            self.emit("memory", rung=message, message=f"out of memory: going on with {message}")
            self.reader.write_plan(plan)

    def _leave_time_to_train(self) -> None:
        """Reading many or large images may take most of the time that was asked for."""
        minutes = self.config["minutes"]
        latest = self.clock() - 30.0 * (minutes or 0.0)
        if minutes is not None and self.started < latest:
            self.started = latest
            self.emit("warning", message="reading the images took long: the training ends later than asked for")

    def _trainer(self, plan: Plan, inputs: Inputs, parent: TrainedModel | None, checkpointing: bool) -> Trainer:
        seed = int(self.config["seed"])
        torch.manual_seed(seed)
        framework = build_framework(self.config["framework"], plan, self.config["loss"])
        if parent is not None:
            framework.start_from(parent.networks)
            framework.taught = True
        if checkpointing:
            for network in framework.networks:
                memory.use_gradient_checkpointing(network)
        framework.run_on(self.device, plan.precision)
        minutes = self.config["minutes"]
        seconds = None if minutes is None else max(60.0 * minutes - RESERVED_SECONDS, 1.0)
        trainer = Trainer(
            framework,
            PatchSampler(plan, inputs.labelled, inputs.unlabelled, seed, self._augmentation(plan)),
            Budget(iterations=self.config["iterations"], seconds=seconds),
            device=self.device,
            precision=plan.precision,
            seed=seed,
            checkpoint_path=self.round.last_checkpoint_path,
            emit=self.emit,
            stop_requested=self.stop_requested,
            validate=self._watch(framework, plan, inputs) if inputs.validation else None,
            clock=self.clock,
            started=self.started,
        )
        if self.round.last_checkpoint_path.exists():
            trainer.resume()
        return trainer

    def _augmentation(self, plan: Plan) -> Augmentation:
        mirror = tuple(self.project.settings.get("mirror_axes", ()))
        return Augmentation(in_plane=plan.is_stack, mirror_axes=mirror)

    def _watch(self, framework: Framework, plan: Plan, inputs: Inputs) -> ValidationWatch:
        path, labels = self.round.best_path, self.project.labels
        return ValidationWatch(framework, plan, inputs.validation, labels, self.device, path, self.emit, self._tell_how)

    def _calibrated(self, trainer: Trainer, inputs: Inputs, cases: int) -> TrainedModel:
        """Thresholds from one pass over unlabelled cases, kept with the model."""
        plan = trainer.sampler.plan
        if trainer.validate is not None and trainer.finished:
            trainer.validate(trainer.step)
        self.emit("stage", stage="calibrating", total=None)
        networks = tuple(network.eval() for network in trainer.framework.inference_pair())
        pool = inputs.unlabelled or inputs.labelled
        chosen = pool[:: max(1, len(pool) // cases)][:cases]
        softmaxes = self._calibrating(networks, chosen, plan)
        thresholds = calibrate_thresholds(softmaxes, plan, self.definition)
        framework = self.config["framework"]
        values = self.project.values
        model = TrainedModel(
            networks, plan, thresholds, values, framework, trainer.step, self.device, definition=self.definition
        )
        model.error_model = self._learnt_before(trainer.step)
        model.save(self.round.model_path)
        return model

    def _learnt_before(self, step: int) -> ErrorModel | None:
        """What this very model knew of its errors when it was stopped later on; error_rates.json goes with it."""
        try:
            former = TrainedModel.load(self.round.model_path, self.device)
        except ProjectError:
            return None
        return former.error_model if former.step == step else None

    def _calibrating(self, networks: tuple, cases: list, plan: Plan) -> Iterator[np.ndarray]:
        """Of one case after the other; who asks for a stop waits for a few only."""
        for done, case in enumerate(cases):
            if done >= CALIBRATION_CASES_WHEN_STOPPED and self.stop_requested():
                return
            yield predict_case(networks, case, plan, self.device, self._tell_how)
            self.emit("progress", stage="calibrating", step=done + 1, total=len(cases), eta_s=None)

    def _measure(self, model: TrainedModel) -> ErrorRates | None:
        begun = False

        def report(done: int, total: int) -> None:
            nonlocal begun
            if self.stop_requested():
                raise Stopped
            if not begun:
                self.emit("stage", stage="measuring", total=total)
            begun = True
            self.emit("progress", stage="measuring", step=done, total=total, eta_s=None)

        measured = measured_error_rates(self.project, self.round, model, report)
        if measured is None:
            return None
        write_json(self.round.error_rates_path, measured.to_json())
        return measured

    def _predict(self, model: TrainedModel, measured: ErrorRates | None) -> None:
        marks = PredictedMarks(self.project, self.emit)
        try:
            cases = self._to_predict(model, marks)
            self.emit("stage", stage="predicting", total=len(cases))
            begin = time.monotonic()
            for index, case in enumerate(cases):
                if self.stop_requested():
                    raise Stopped
                self._predict_case(case, model, measured, marks)
                eta = (time.monotonic() - begin) / (index + 1) * (len(cases) - index - 1)
                self.emit("progress", stage="predicting", step=index + 1, total=len(cases), eta_s=round(eta, 1))
        finally:
            marks.write()

    def _to_predict(self, model: TrainedModel, marks: PredictedMarks) -> list[Case]:
        """The cases without a prediction by this model. Of those with one, a killed run may have left some unmarked."""
        cases = []
        for case in self._reading_order():
            if not self._is_predicted(case.id, model):
                cases.append(case)
            elif case.state == "unlabelled":  # a rejected one may have been rejected since
                marks.add(case.id, read_summary(self.round.prediction(case.id).summary, case.id).uncertainty)
        marks.write()
        return cases

    def _predict_case(
        self, case: Case, model: TrainedModel, measured: ErrorRates | None, marks: PredictedMarks
    ) -> None:
        try:
            summary = predict_into(
                model,
                case.id,
                self.project.image_paths(case),
                self.round.prediction(case.id),
                self.project.labels,
                self.round.number,
                measured,
                self._tell_how,
            )
        except MetaSSLError as error:
            self.reader.report_failure(case.id, error)
        else:
            marks.add(case.id, summary.uncertainty)

    def _tell_how(self, case_id: str, how: str) -> None:
        self.emit("memory", rung=how, message=f"out of memory: going on with case {case_id} {how}")

    def _is_predicted(self, case_id: str, model: TrainedModel) -> bool:
        """By this very model: a paused round may hold predictions of a half-trained one."""
        return predicted_by(self.round.prediction(case_id), model.step)

    def _reading_order(self) -> list[Case]:
        """Unlabelled cases, those likely to be opened next first: open ones, then the former ranking's order."""
        cases = self.project.unlabelled_cases()
        former = {}
        parent = self.round.record.get("parent")
        if parent is not None:
            with contextlib.suppress(ProjectError):
                entries = read_ranking(Round(self.round.path.with_name(f"{parent:04d}"))).cases
                former = {entry.case: place for place, entry in enumerate(entries)}
        cases.sort(key=lambda c: (c.state != "in_progress", former.get(c.id, len(former)), c.id))
        return cases

    def _rank(self) -> None:
        self.emit("stage", stage="ranking", total=None)
        strategy = self.project.settings.get("strategy", DEFAULT_STRATEGY)
        ranking = rank(self.project, self.round, strategy)
        self.emit("ranked", count=len(ranking.cases))


def main(arguments: list[str]) -> int:
    project = Project.open(Path(arguments[0]))
    found = project.round(int(arguments[1]))
    lock = TrainingLock(project.path)
    lock.acquire(found.title, wait_s=30, handed_to=launcher_between(found))
    take_over(project, found)
    events = RecapWriter(found.events_path)
    try:
        job = Job(project, found, events.write)
        for name in ("SIGTERM", "SIGINT"):
            signal.signal(getattr(signal, name), lambda *_: setattr(job, "terminated", True))
        job.run()
        return 0
    except Stopped:
        events.write("paused", step=job.resumed_step())
        return 0
    except MetaSSLError as error:
        traceback.print_exc()
        events.write("failed", message=str(error), hint="", code=code_of(error).value)
        return 1
    except BaseException as error:
        traceback.print_exc()
        message = f"the training ended unexpectedly ({type(error).__name__}: {error})".splitlines()[0]
        code = ErrorCode.OUT_OF_MEMORY if memory.is_out_of_memory(error) else code_of(error)
        events.write("failed", message=message, hint=f"the details are in {found.log_path}", code=code.value)
        return 1
    finally:
        lock.release()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
