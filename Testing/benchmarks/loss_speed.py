"""Time of a training step with MetaSSL against the framework's own loss: same batches, same run, alternating.

    python Testing/benchmarks/loss_speed.py [--framework cps] [--patch 40 56 40] [--device cpu] [--steps 30]

Prints one JSON object; `ratio` is the median over pairs of neighbouring steps.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

import torch
from metassl.data.budget import BUDGETS, choose_precision
from metassl.data.plan import Plan
from metassl.data.streams import Batch
from metassl.data.topology import levels
from metassl.frameworks import FRAMEWORKS, build_framework
from metassl.networks.device import choose_device, device_name, wait_for


def plan_for(patch: tuple[int, int, int], device: torch.device) -> Plan:
    kernels, strides = levels(patch, (1.0, 1.0, 1.0))
    budget = BUDGETS[device.type]
    filters = [min(budget.max_filters, budget.first_filters * 2**i) for i in range(len(kernels))]
    left_out = int(budget.pools_first)
    return Plan(
        axes="patient",
        spacing_zyx=(1.0, 1.0, 1.0),
        source_spacing_zyx=(1.0, 1.0, 1.0),
        patch_zyx=patch,
        batch=(1, 1),
        intensity=({"scheme": "robust_zscore"},),
        filters=tuple(filters[left_out:]),
        kernels=tuple(kernels[left_out:]),
        strides=tuple(strides[left_out:]),
        in_channels=1,
        classes=3,
        precision=choose_precision(device.type),
    )


def compare(framework: str, plan: Plan, device: torch.device, steps: int) -> dict[str, float]:
    """Seconds of a step of either loss, and the median of their ratio over pairs of neighbouring steps."""
    torch.manual_seed(0)
    shape = (1, *plan.patch_zyx)
    batch = Batch(torch.randn(1, *shape), torch.randint(0, 3, shape), torch.randn(1, *shape), ["a"], ["b"]).to(device)
    frameworks = {}
    for loss in ("plain", "metassl"):
        frameworks[loss] = build_framework(framework, plan, loss)
        frameworks[loss].run_on(device, plan.precision)
        frameworks[loss].train()
    optimizers = {loss: torch.optim.AdamW(each.trained_parameters(), 1e-3) for loss, each in frameworks.items()}

    def step(loss: str) -> float:
        begin = time.perf_counter()
        frameworks[loss].training_loss(batch, 0.9).total.backward()
        optimizers[loss].step()
        optimizers[loss].zero_grad()
        frameworks[loss].after_step(100)
        wait_for(device)
        return time.perf_counter() - begin

    for _ in range(3):
        for loss in frameworks:
            step(loss)
    pairs = [(step("plain"), step("metassl")) for _ in range(steps)]
    return {
        "plain_s": round(statistics.median(p for p, _ in pairs), 4),
        "metassl_s": round(statistics.median(m for _, m in pairs), 4),
        "ratio": round(statistics.median(m / p for p, m in pairs), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--framework", default="cps", choices=list(FRAMEWORKS))
    parser.add_argument("--patch", type=int, nargs=3, default=(40, 56, 40))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=30)
    options = parser.parse_args()
    device = choose_device(options.device)
    plan = plan_for(tuple(options.patch), device)
    facts = {
        "device": device_name(device),
        "framework": options.framework,
        "patch": list(plan.patch_zyx),
        "precision": plan.precision,
        "threads": torch.get_num_threads(),
    }
    print(json.dumps(facts | compare(options.framework, plan, device, options.steps)))


if __name__ == "__main__":
    main()
