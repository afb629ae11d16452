"""A tiny cohort, frameworks and their gradients, for the tests of the frameworks."""

from __future__ import annotations

import numpy as np
import torch
from metassl.data.augment import Augmentation
from metassl.data.plan import Plan
from metassl.data.streams import PatchSampler, PreparedCase
from metassl.frameworks import build_framework
from metassl.frameworks.base import Framework
from metassl.inference.model import TrainedModel
from metassl.inference.region_map import region_map
from metassl.inference.sliding_window import predict_pair

CPU = torch.device("cpu")
EARLY, LATE = 0.0, 0.9  # fractions of the schedule


def cohort(count: int = 4) -> list[PreparedCase]:
    """Noisy 20³ images of two bright boxes side by side, at a place of their own in each case."""
    cases = []
    for number in range(count):
        rng = np.random.default_rng(number)
        label = np.zeros((20, 20, 20), np.uint8)
        z, y, x = rng.integers(3, 7, 3)
        label[z : z + 9, y : y + 5, x : x + 10] = 1
        label[z : z + 9, y + 5 : y + 10, x : x + 10] = 2
        image = label * 1.0 - 0.5 + rng.normal(0, 0.4, label.shape)
        cases.append(PreparedCase(f"case{number}", image[None].astype(np.float16), label))
    return cases


def sampler(plan: Plan) -> PatchSampler:
    """Two labelled cases, the others unlabelled."""
    cases = cohort()
    return PatchSampler(plan, cases[:2], [PreparedCase(case.id, case.image) for case in cases[2:]], 0, Augmentation())


def fresh_framework(name: str, plan: Plan, loss: str = "metassl") -> Framework:
    """The same initial weights at each call."""
    torch.manual_seed(0)
    return build_framework(name, plan, loss)


def gradients(framework: Framework, batch, fraction: float) -> dict[str, torch.Tensor]:
    """By parameter; zeros where none arrives. Random numbers are the same at each call."""
    framework.zero_grad()
    torch.manual_seed(3)
    framework.training_loss(batch, fraction).total.backward()
    named = framework.networks.named_parameters()
    return {name: torch.zeros_like(p) if p.grad is None else p.grad.clone() for name, p in named}


def regions_of(model: TrainedModel, image: np.ndarray) -> torch.Tensor:
    """Region map (z, y, x) of an image (C, z, y, x)."""
    first, second = predict_pair(model.networks, image, model.plan, CPU)
    pair = (torch.from_numpy(part.astype(np.float32)) for part in (first, second))
    return region_map(*pair, model.thresholds).regions
