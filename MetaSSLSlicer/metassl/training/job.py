"""What all steps of a round share: the project, the round, the device, the clock; how to report, and when to stop."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property

import torch

from metassl.inference.region_map import SYMMETRIC
from metassl.jobs.launcher import GIVE_WAY
from metassl.jobs.start import engine_versions
from metassl.networks.checkpoint import load_checkpoint
from metassl.networks.device import choose_device, device_name, gpu_problem, keep_to_gpu_memory, usable_cores
from metassl.networks.processes import ALONE, Processes
from metassl.project.project import Project
from metassl.project.rounds import Round, config_to_train
from metassl.project.words import duration
from metassl.training.eta import clock
from metassl.training.inputs import InputReader


class Stopped(Exception):
    """A graceful stop was asked for; what was done so far is kept."""


class Job:
    """One round at work. emit(event, **fields) reports; `device` changes where the memory makes it.

    processes: those that train it together.
    """

    def __init__(
        self, project: Project, found: Round, emit: Callable[..., object], processes: Processes = ALONE
    ) -> None:
        self.project, self.round, self.emit, self.processes = project, found, emit, processes
        self.config = config_to_train(found.record, found.record_path)
        self.terminated = False
        self.definition = project.settings.get("region_map", SYMMETRIC)
        self.device = choose_device(self.config["device"])
        keep_to_gpu_memory(self.device)
        torch.set_num_threads(usable_cores())
        self.clock = clock(self.config.get("clock", "wall"), usable_cores())
        self.started = self.clock()

    @cached_property
    def reader(self) -> InputReader:
        return InputReader(self.project, self.round, self.emit)

    @property
    def stop_requested(self) -> bool:
        return self.terminated or (self.round.stop_path.exists() and not self.gives_way)

    @property
    def gives_way(self) -> bool:
        """Another training waits: what is not predicted yet is left to it."""
        try:
            return self.round.stop_path.read_text(encoding="utf-8") == GIVE_WAY
        except (OSError, ValueError):
            return False

    def stop_if_requested(self) -> None:
        """Raises Stopped."""
        if self.stop_requested:
            raise Stopped

    def warn(self, message: str) -> None:
        self.emit("warning", message=message)

    def progress(self, stage: str, step: int, total: int, eta_s: float | None = None) -> None:
        self.emit("progress", stage=stage, step=step, total=total, eta_s=eta_s)

    def tell_of_memory(self, case_id: str, how: str) -> None:
        """The memory is too small for a case: `how` its prediction goes on."""
        self.emit("memory", rung=how, message=f"out of memory: going on with case {case_id} {how}")

    def kept_step(self) -> int | None:
        """The step of the checkpoint that training goes on from."""
        path = self.round.last_checkpoint_path
        return load_checkpoint(path, step=int)["step"] if path.exists() else None

    def announce(self) -> None:
        """Say on what it trains, and whether that is what was hoped for."""
        self.emit(
            "started",
            device=self.device.type,
            device_name=device_name(self.device),
            threads=torch.get_num_threads(),
            pid=os.getpid(),
            resumed_from=self.kept_step(),
            versions=engine_versions(),
        )
        if self.device.type == "cpu" and self.config["device"] == "auto":
            minutes = f" for {duration(60 * self.config['minutes'])}" if self.config["minutes"] else ""
            if problem := gpu_problem():
                self.warn(f"the GPU cannot be used ({problem}): training on the CPU{minutes}")
            elif minutes:
                self.warn(f"no GPU was found: training on the CPU{minutes}")
