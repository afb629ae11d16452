"""The training loop. A step is a pure function of the weights, the seed and the step's number."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from metassl.data.ahead import batches_for
from metassl.data.streams import Batch, PatchSampler
from metassl.frameworks.base import Framework, Shares, StepOutput
from metassl.networks.checkpoint import damaged, load_checkpoint, save_checkpoint
from metassl.networks.device import always_the_same_shapes, memory_in_use_mb, wait_for
from metassl.networks.memory_ladder import is_out_of_memory
from metassl.training.eta import Budget, StepTimes
from metassl.training.job import Stopped
from metassl.training.refusals import Refusals

BETAS = (0.9, 0.98)  # a memory of 50 steps, not of 1000: a few minutes have not many more
BASE_LR = 6e-3
ALL = Shares()
PROGRESS_SECONDS = 1.0
CHECKPOINT_SECONDS = REPLAN_SECONDS = 30.0
CHECKPOINT_SHARE = 0.05  # of the time that writing them may take
FIRST_PLANNED_STEP = 12
LAST_REPLANNED_FRACTION = 0.9  # so that the learning rate ends where it should
VALIDATIONS = 8
VALIDATION_SHARE = 0.04  # of a time budget that they may take, the first aside


class Trainer:
    """Owns the optimiser, the schedule and the step counter of one round.

    emit(event, **fields) writes to the round's events; stop_requested() is asked after every step;
    validate(step), when given, is called a few times on the way. clock() is what the budget's seconds are counted on,
    and started its reading at which they began to run; afterwards: seconds that are waited for after the last step.
    shares: of the learning rate that the parts of the networks have.
    """

    def __init__(
        self,
        framework: Framework,
        sampler: PatchSampler,
        budget: Budget,
        *,
        device: torch.device,
        precision: str,
        seed: int,
        checkpoint_path: Path,
        emit: Callable[..., object],
        stop_requested: Callable[[], bool],
        validate: Callable[[int], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        started: float | None = None,
        afterwards: float = 0.0,
        base_lr: float = BASE_LR,
        shares: Shares = ALL,
        weight_decay: float = 1e-2,
        gradient_norm: float = 5.0,
    ):
        self.framework, self.sampler, self.budget = framework, sampler, budget
        self.device, self.precision, self.seed = device, precision, seed
        self.checkpoint_path = checkpoint_path
        self.emit, self.stop_requested, self.validate = emit, stop_requested, validate
        self.base_lr, self.gradient_norm = base_lr, gradient_norm
        groups = framework.parameter_groups(shares)
        self.parameters = [parameter for group in groups for parameter in group["params"]]
        self.fused = device.type in ("cpu", "cuda")
        self.optimizer = torch.optim.AdamW(groups, base_lr, BETAS, weight_decay=weight_decay, fused=self.fused)
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16" and device.type == "cuda")
        self.step = 0
        self.clock = clock
        self.started = clock() if started is None else started
        self.afterwards = afterwards
        self.elapsed_before = 0.0
        self.times = StepTimes()
        self.refusals = Refusals(emit)
        self.looks_at_every_step = device.type != "cuda"
        self._validated_s = self._saving_s = 0.0
        self._reported = self._saved = self._replanned = time.monotonic()

    # ------------------------------------------------------------------ the loop

    def run(self) -> None:
        """Train until the budget is spent. Raises Stopped after a graceful stop."""
        self.framework.train()
        batches = batches_for(self.device, self.sampler, self.step)
        try:
            while not self.finished:
                begin, waited = self.clock(), batches.waited
                batch = batches.get().to(self.device)
                output = self.train_step(batch)
                if not self.budget.total:
                    wait_for(self.device)  # else the first steps, by which all are planned, seem to take no time
                self.times.add(self.clock() - begin, self.framework.cost(self.fraction), batches.waited - waited)
                self.step += 1
                self._plan()
                self._report(output)
                self._validate()
                now = time.monotonic()
                if now - self._replanned > REPLAN_SECONDS and self.fraction <= LAST_REPLANNED_FRACTION:
                    self._replanned = now
                    self._replan(self.times.mean_full)
                if self._agree():
                    self.save()
                    raise Stopped
                if now - self._saved > max(CHECKPOINT_SECONDS, self._saving_s / CHECKPOINT_SHARE):
                    self.save()
            self.save()
        finally:
            batches.close()

    @property
    def finished(self) -> bool:
        return 0 < self.budget.total <= self.step

    @property
    def fraction(self) -> float:
        """Of the schedule; nothing while its length is unknown."""
        return self.step / self.budget.total if self.budget.total else 0.0

    @property
    def elapsed(self) -> float:
        return self.elapsed_before + self.clock() - self.started

    def train_step(self, batch: Batch) -> StepOutput:
        """Forward, backward, update. A loss that is not finite changes no weight (averages still follow the weights).

        On a GPU nothing here waits for it, so that it always has work.
        """
        torch.manual_seed((self.seed << 32) + self.step)  # in every process: they make the same draws
        total = self.budget.total or 10**9
        for group in self.optimizer.param_groups:
            group["lr"] = group["share"] * learning_rate(self.base_lr, self.step, total)
        self.framework.planned_steps = self.budget.total
        with always_the_same_shapes(self.device):
            output = self.framework.training_loss(batch, self.fraction)
            self.optimizer.zero_grad(set_to_none=True)
            self.scaler.scale(output.total).backward()
        self.framework.processes.add_up(self.parameters)
        self.scaler.unscale_(self.optimizer)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.gradient_norm)
        finite = torch.isfinite(output.total.detach() if self.framework.processes.size == 1 else norm)  # same in all
        if not self.scaler.is_enabled():  # which looks for a scale at which gradients are finite
            finite &= torch.isfinite(norm)
        self._update(finite)
        self.framework.after_step(self.step)
        self.refusals.note(self.step, batch, finite)
        if self.looks_at_every_step:
            self.refusals.look()
        return output

    def _update(self, finite: torch.Tensor) -> None:
        """Move the weights where it is `finite`, which the fused optimiser and the scaler find out on the device."""
        if self.scaler.is_enabled():
            self.scaler.step(self.optimizer)
            self.scaler.update()
        elif self.fused:
            self.optimizer.found_inf = (~finite).float()  # type: ignore[attr-defined]  # as the scaler hands it over
            self.optimizer.step()
        elif finite:
            self.optimizer.step()

    def _agree(self) -> bool:
        """Whether a stop is asked for. How long it trains, and that, the first of the processes says to all."""
        processes = self.framework.processes
        if processes.size == 1:
            return self.stop_requested()
        self.budget.total, stops = processes.of_the_first(self.budget.total, int(self.stop_requested()))
        self.framework.planned_steps = self.budget.total
        return bool(stops)

    # ------------------------------------------------------------------ time

    def _plan(self) -> None:
        """With a time budget, fix the total as soon as steps have been timed, and keep it in a checkpoint."""
        if self.budget.total or self.step < FIRST_PLANNED_STEP:
            return
        self._replan(self.times.median_full)
        self.save()

    def _replan(self, full_step: float) -> None:
        if not self.framework.processes.is_first:
            return
        for _ in range(2):  # what the steps to come cost depends on how many they are
            self.budget.replan(self.step, self.elapsed, full_step * self.framework.cost_to_come(self.fraction))
            self.framework.planned_steps = self.budget.total

    def _report(self, output: StepOutput) -> None:
        now = time.monotonic()
        if now - self._reported < PROGRESS_SECONDS and not self.finished:
            return
        self._reported = now
        self.refusals.look()
        total = self.budget.total
        regions = output.regions
        self.emit(
            "progress",
            stage="training",
            step=self.step,
            total=total,
            eta_s=self.times.left(total - self.step, self.framework.cost_to_come(self.fraction), self.afterwards)
            if total
            else None,
            seconds_per_step=round(self.times.median, 4),
            data_wait_share=round(self.times.wait_share, 4),
            loss=_rounded(output.parts),
            regions=None if regions is None else _rounded(regions),
            lr=max(group["lr"] for group in self.optimizer.param_groups),
            memory_mb=memory_in_use_mb(self.device),
        )

    def _validate(self) -> None:
        if self.validate is None or not self.budget.total:
            return
        every = max(self.budget.total // VALIDATIONS, 1)
        if self.step % every == 0 and self.step < self.budget.total and self._can_afford_to_validate():
            begin = self.clock()
            self.validate(self.step)
            self.framework.train()
            self._validated_s += self.clock() - begin

    def _can_afford_to_validate(self) -> bool:
        return self.budget.seconds is None or self._validated_s <= VALIDATION_SHARE * self.elapsed

    # ------------------------------------------------------------------ checkpoints

    def save(self) -> None:
        self.refusals.look()
        if not self.framework.processes.is_first:
            return
        state = {
            "framework": self.framework.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "step": self.step,
            "total": self.budget.total,
            "elapsed": self.elapsed,
            "seed": self.seed,
            "taught": self.framework.taught,
            "brought": self.framework.brought,
        }
        begin = time.monotonic()
        save_checkpoint(self.checkpoint_path, state)
        self._saved = time.monotonic()
        self._saving_s = self._saved - begin
        self.emit("checkpoint", step=self.step)

    def resume(self) -> None:
        dicts = dict.fromkeys(("framework", "optimizer", "scaler"), dict)
        state = load_checkpoint(self.checkpoint_path, **dicts, step=int, total=int, elapsed=(int, float))
        settings = [{k: v for k, v in group.items() if k != "params"} for group in self.optimizer.param_groups]
        try:
            self.framework.load_state_dict(state["framework"])
            for group, ours in zip(state["optimizer"]["param_groups"], settings, strict=True):
                group.update(ours)  # they are this program's and device's; the file holds its averages
            self.optimizer.load_state_dict(state["optimizer"])
            if state["scaler"]:  # else it was not trained in fp16
                self.scaler.load_state_dict(state["scaler"])
        except Exception as error:
            if is_out_of_memory(error):
                raise
            raise damaged(self.checkpoint_path, "it is of another model") from error
        if not all(_are_averages(kept, weights) for weights, kept in self.optimizer.state.items()):
            raise damaged(self.checkpoint_path, "its optimiser is of another model")
        self.framework.taught = bool(state.get("taught", True))
        self.framework.brought = bool(state.get("brought", False))
        self.step, self.budget.total = state["step"], state["total"]
        self.elapsed_before = state["elapsed"]
        self.started = self.clock()


def _are_averages(kept: Mapping[str, torch.Tensor], weights: torch.Tensor) -> bool:
    """Whether this is what AdamW keeps of `weights`."""
    try:
        steps, *averages = (kept[name] for name in ("step", "exp_avg", "exp_avg_sq"))
        return bool(steps >= 0) and all(average.shape == weights.shape for average in averages)
    except (AttributeError, KeyError, RuntimeError, TypeError):
        return False


def learning_rate(base: float, step: int, total: int, warmup: int = 20) -> float:
    """Linear warm-up, then the polynomial decay of the paper's recipes (power 0.9)."""
    fraction = min(step / max(total, 1), 1.0)
    return float(base * min(1.0, (step + 1) / warmup) * (1.0 - fraction) ** 0.9)


def _rounded(values: Mapping[str, torch.Tensor]) -> dict[str, float]:
    """In one copy from the device."""
    if not values:
        return {}
    numbers = torch.stack([value.detach().float().reshape(()) for value in values.values()]).tolist()
    return {name: round(number, 5) for name, number in zip(values, numbers, strict=True)}
