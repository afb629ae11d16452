"""What a training step takes on this machine: its time, how much of that it waits for data, its memory."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from metassl.data.ahead import batches_for
from metassl.data.augment import Augmentation
from metassl.data.plan import Plan, make_plan
from metassl.data.streams import PatchSampler, PreparedCase
from metassl.frameworks import build_framework
from metassl.networks.device import device_name, memory_bytes, memory_in_use_mb, wait_for
from metassl.training.eta import Budget
from metassl.training.loop import Trainer

WARM_UP_STEPS = 3
FEWEST_STEPS = 5
SCHEDULE = 1000  # steps of a training, in the last fifth of which the measured ones lie: they are of the dearest kind
MARGIN = 1.25  # of the made-up cases' sides over the patch's

USUAL_IMAGES = {
    "axes": "patient",
    "median_spacing_zyx": (1.0, 1.0, 1.0),
    "median_shape_zyx": (192, 192, 192),
    "channels": [{"is_ct": False}],
}
"""A fingerprint: heads in an MR scanner, say."""


@dataclass(frozen=True)
class StepSpeed:
    """patch and batch as in a plan; data_wait_share: of a step's time; memory_mb: the most that was in use.

    On a CPU the wait is the making of the batches; on a GPU, how much longer steps take than with one batch that lies
    there already.
    """

    device: str
    patch_zyx: tuple[int, int, int]
    batch: tuple[int, int]
    precision: str
    steps: int
    seconds_per_step: float
    data_wait_share: float
    memory_mb: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def usual_plan(device: torch.device) -> Plan:
    """What this device is given to train on usual images of two structures."""
    return make_plan(USUAL_IMAGES, 3, device.type, memory_bytes(device))


def made_up_cases(plan: Plan, count: int) -> list[PreparedCase]:
    """Noise with a ball in it, a little larger than the patch."""
    shape = tuple(max(1, round(MARGIN * length)) for length in plan.patch_zyx)
    axes = np.meshgrid(*(np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in shape), indexing="ij")
    label = (np.square(axes).sum(0) < 0.25).astype(np.uint8)
    rng = np.random.default_rng(0)
    images = (rng.standard_normal((plan.in_channels, *shape), np.float32) + label for _ in range(count))
    return [PreparedCase(f"case_{n}", image.astype(np.float16), label) for n, image in enumerate(images)]


class StepMeter:
    """Training steps as they are in a round, on made-up cases; `training` may be changed before they are measured."""

    def __init__(self, plan: Plan, device: torch.device, framework: str = "cps", loss: str = "metassl") -> None:
        self.plan, self.device = plan, device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        torch.manual_seed(0)
        self.training = build_framework(framework, plan, loss)
        self.training.run_on(device, plan.precision)
        cases = made_up_cases(plan, 4)
        views = Augmentation.of_stacks() if plan.is_stack else Augmentation()
        self.sampler = PatchSampler(plan, cases[:2], cases[2:], 0, views)

    def measure(self, seconds: float) -> StepSpeed:
        """In about so many seconds, twice that on a GPU, or a few steps where these take longer."""
        with tempfile.TemporaryDirectory(prefix="metassl-speed-") as folder:
            trainer = Trainer(
                self.training,
                self.sampler,
                Budget(SCHEDULE),
                device=self.device,
                precision=self.plan.precision,
                seed=0,
                checkpoint_path=Path(folder) / "last.pt",
                emit=lambda *_, **__: None,
                stop_requested=lambda: False,
            )
            return self._measured(trainer, seconds)

    def _measured(self, trainer: Trainer, seconds: float) -> StepSpeed:
        first = SCHEDULE - SCHEDULE // 5
        batches = batches_for(self.device, self.sampler, first)

        def step() -> None:
            trainer.step = min(trainer.step + 1, SCHEDULE - 1)
            trainer.train_step(batches.get().to(self.device))

        try:
            trainer.step = first
            for _ in range(WARM_UP_STEPS):
                step()
            wait_for(self.device)
            waited = batches.waited
            steps, taken = self._repeat(step, seconds)
            share = (batches.waited - waited) / (steps * taken)
            if self.device.type != "cpu":
                resident = batches.get().to(self.device)
                bare = self._repeat(lambda: trainer.train_step(resident), seconds)[1]
                share = max(0.0, 1 - bare / taken)
        finally:
            batches.close()
        return StepSpeed(
            device_name(self.device),
            self.plan.patch_zyx,
            self.plan.batch,
            self.plan.precision,
            steps,
            round(taken, 4),
            round(share, 4),
            memory_in_use_mb(self.device),
        )

    def _repeat(self, step: Callable[[], object], seconds: float) -> tuple[int, float]:
        """How many steps, and the seconds of one."""
        begin, steps = time.perf_counter(), 0
        while steps < FEWEST_STEPS or time.perf_counter() - begin < seconds:
            step()
            steps += 1
        wait_for(self.device)
        return steps, (time.perf_counter() - begin) / steps
