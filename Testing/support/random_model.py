"""A round with a model that has never been trained: what predicts is the same, and made in moments."""

from __future__ import annotations

import torch
from metassl.inference.error_model import ErrorModel
from metassl.inference.model import TrainedModel
from metassl.networks.unet import build_network
from metassl.project import Project, Round
from tiny_plan import tiny_plan

CPU = torch.device("cpu")


def random_model(project: Project, learnt: bool = False, seed: int = 0, **changes) -> TrainedModel:
    """For the structures and channels of the project; `changes` of the plan. learnt: with a model of its errors."""
    channels, classes = len(project.channels), len(project.values)
    plan = tiny_plan(
        in_channels=channels, classes=classes, intensity=({"scheme": "robust_zscore"},) * channels, **changes
    )
    torch.manual_seed(seed)
    networks = build_network(plan).eval(), build_network(plan).eval()
    errors = ErrorModel(classes, channels).eval().requires_grad_(False) if learnt else None
    thresholds = torch.rand(2, 2, classes) / 10 + 0.35
    return TrainedModel(networks, plan, thresholds, project.values, "cps", 7, CPU, errors)


def add_round(project: Project, model: TrainedModel) -> Round:
    """A new round with that model."""
    found = project.new_round({"config": {"framework": "cps"}, "labels": {}})
    model.save(found.model_path)
    return found
