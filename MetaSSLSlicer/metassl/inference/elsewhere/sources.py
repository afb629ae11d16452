"""A model to start a project from: of nnU-Net, of another project or round, of a bundle, or one network each of two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from metassl.files.errors import ProjectError
from metassl.inference.bundle.read import read_bundle
from metassl.inference.calibration import UNSEEN_CLASS_THRESHOLD
from metassl.inference.model import ELSEWHERE, TrainedModel
from metassl.inference.operating_point.point import AS_IT_IS
from metassl.intake.model_folder import NNUNET, ROUND, SourceFolder
from metassl.intake.nnunet_model import PLANS, read_nnunet_model
from metassl.networks.nnunet_checkpoint import network_of, read_checkpoint
from metassl.networks.nnunet_plan import plan_of_nnunet
from metassl.networks.second import perturbed
from metassl.project.rounds import Round


def read_source(folders: Sequence[Path], device: torch.device) -> TrainedModel:
    """The model of one folder, or a pair of the first networks of two. ProjectError where they do not go together."""
    models = [_read(SourceFolder.at(folder), device) for folder in folders]
    first, *others = models
    for other, folder in zip(others, folders[1:], strict=True):
        if not first.plan.has_network_of(other.plan) or first.plan.preprocessing() != other.plan.preprocessing():
            raise ProjectError(
                f"{folders[0]} and {folder} have other networks, spacings or intensities: two models make a pair only "
                "where all of this is the same"
            )
        if first.values != other.values:
            raise ProjectError(f"{folders[0]} and {folder} give their structures other values")
    networks = (first.networks[0], others[0].networks[0]) if others else first.networks
    thresholds = torch.full((2, 2, first.plan.classes), UNSEEN_CLASS_THRESHOLD)
    alone = replace(first, error_model=None, point=AS_IT_IS)  # what its networks say, and nothing else
    return replace(alone, networks=networks, thresholds=thresholds, framework=ELSEWHERE, step=0)


def _read(source: SourceFolder, device: torch.device) -> TrainedModel:
    if source.kind == NNUNET:
        return nnunet_model(source.folder, device)
    if source.kind == ROUND:
        return TrainedModel.load(Round(source.folder).model_path, device)
    return read_bundle(source.folder, device).model


def nnunet_model(folder: Path, device: torch.device) -> TrainedModel:
    """The first two folds of a model of nnU-Net as the pair; of a single fold, it and a `perturbed` copy."""
    found = read_nnunet_model(folder)
    checkpoints = [read_checkpoint(path) for path in found.checkpoints[:2]]
    first = checkpoints[0]
    plan = plan_of_nnunet(
        found.plans,
        first.configuration,
        len(found.channels),
        len(found.values),
        first.mirror_axes,
        found.folder / PLANS,
    )
    networks = [network_of(checkpoint, plan).to(device) for checkpoint in checkpoints]
    if len(networks) == 1:
        networks.append(perturbed(networks[0]))
    return TrainedModel(
        networks=(networks[0], networks[1]),
        plan=plan,
        thresholds=torch.full((2, 2, plan.classes), UNSEEN_CLASS_THRESHOLD),
        values=found.values,
        framework=ELSEWHERE,
        step=0,
        device=device,
    )
