"""The first step of a round whose model comes from elsewhere: nothing is trained, and no label is needed."""

from __future__ import annotations

from pathlib import Path

import torch

from metassl.data.plan import Plan
from metassl.inference.elsewhere.sources import read_source
from metassl.inference.model import TrainedModel
from metassl.project.project import Project
from metassl.project.rounds import Round
from metassl.training.inputs import Inputs
from metassl.training.job import Job
from metassl.training.prepare import prepare
from metassl.training.train import Trained


def bring_in(job: Job) -> tuple[Trained, Inputs]:
    """The model of the round, on the device, and the cases that it is to predict."""
    model = model_of(job.project, job.round)
    plan: Plan = model.plan.on_device(job.device.type)
    job.reader.write_plan(plan)
    job.emit("plan", summary=plan.describe(), **plan.to_json())
    inputs = prepare(job, plan)
    first, second = (network.to(job.device) for network in model.networks)
    return Trained((first, second), plan, model.step), inputs


def model_of(project: Project, found: Round) -> TrainedModel:
    """The model of a round that has a source, on the CPU; read from there the first time, and kept in the round."""
    cpu = torch.device("cpu")
    if found.model_path.exists():
        return TrainedModel.load(found.model_path, cpu)
    source = found.record["source"]
    model = read_source([Path(folder) for folder in source["models"]], cpu)
    values = {int(value): was for value, was in source["values"].items()}
    model = model.with_outputs_of(project.values, values)
    model.save(found.model_path)
    return model
