"""The work of one of two processes that train together; a module of its own, as a spawned Python imports it."""

from __future__ import annotations

from pathlib import Path

import torch
from framework_parts import LATE, fresh_framework, gradients, sampler
from metassl.networks.processes import ALONE, Processes
from tiny_plan import tiny_plan

CHOICES = [("cps", "metassl"), ("cps", "plain"), ("cps", "official"), ("mt", "metassl"), ("bcp", "metassl")]
BATCHES = [(2, 2), (3, 3), (1, 1)]  # the second in parts of two sizes, the third has nothing for a process


def one_step(processes: Processes, name: str, loss: str, batch: tuple[int, int]) -> dict[str, torch.Tensor]:
    """Gradients by parameter, and what the framework has learnt of the confidence, after one step."""
    plan = tiny_plan(batch=batch)
    framework = fresh_framework(name, plan, loss)
    framework.share_among(processes)
    framework.train()
    found = gradients(framework, sampler(plan).batch(1), LATE)
    for (_, parameter), gradient in zip(framework.networks.named_parameters(), found.values(), strict=True):
        parameter.grad = gradient.clone()
    processes.add_up(framework.networks.parameters())
    found = {key: parameter.grad for key, parameter in framework.networks.named_parameters()}
    states = {key: value for key, value in framework.state_dict().items() if "thresholds" in key}
    return {**found, **states}


def work(rank: int, folder: str) -> None:
    """Process `rank` of two, which find each other through a file in `folder`."""
    torch.set_num_threads(1)
    processes = Processes(rank, 2)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    try:
        for name, loss in CHOICES:
            for batch in BATCHES:
                found = one_step(processes, name, loss, batch)
                torch.save(found, Path(folder) / f"{name}-{loss}-{batch[0]}-{rank}.pt")
        told = processes.of_the_first(10 + rank, 20 + rank)
        (Path(folder) / f"told-{rank}").write_text(str(told), encoding="utf-8")
    finally:
        processes.end()


def alone(name: str, loss: str, batch: tuple[int, int]) -> dict[str, torch.Tensor]:
    """The same of one process."""
    return one_step(ALONE, name, loss, batch)
