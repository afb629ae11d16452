"""`configs/metadata.json`: what MONAI asks to be told of a model."""

from __future__ import annotations

from typing import Any

import monai
import numpy as np
import SimpleITK as sitk
import torch

from metassl import __version__
from metassl.choices.frameworks import FRAMEWORKS, describe_framework
from metassl.inference.model import ELSEWHERE, TrainedModel
from metassl.jobs.round_summary import summarise_round
from metassl.project.project import Project
from metassl.project.rounds import Round
from metassl.project.words import count

from .config import inert

SCHEMA = "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"
IGNITE = "0.4.11"
"""The version of pytorch-ignite that MONAI asks for; its evaluators are made of it."""

UNSTATED = "not stated"
METHOD = (
    "Zhao et al., MetaSSL: A General Heterogeneous Loss for Semi-Supervised Medical Image Segmentation, IEEE "
    "Transactions on Medical Imaging, 2025, https://arxiv.org/abs/2509.01144"
)


def metadata(project: Project, found: Round, model: TrainedModel) -> dict[str, Any]:
    """The content of metadata.json for the model of a round."""
    names = {0: "background", **{label.value: inert(label.name) for label in project.labels}}
    classes = [names.get(value, f"value {value}") for value in model.values]
    channels = [inert(name) for name in project.channels]
    summary = summarise_round(found)
    version = f"0.{found.number}.0"
    return {
        "schema": SCHEMA,
        "version": version,
        "changelog": {version: f"{found.title} of the project, learnt from {count(summary.labels, 'label')}"},
        "monai_version": monai.__version__,
        "pytorch_version": torch.__version__.partition("+")[0],
        "numpy_version": np.__version__,
        "required_packages_version": {
            "metassl": __version__,
            "SimpleITK": sitk.Version_VersionString(),
            "pytorch-ignite": IGNITE,
        },
        "name": inert(project.name),
        "task": f"Segmentation of {', '.join(classes[1:])}",
        "description": (
            f"Two networks {_origin(model)}; the label of a voxel is that of the highest "
            "mean probability. A map of four regions says where both agree and are sure, and where it is worth a look."
        ),
        "authors": UNSTATED,
        "copyright": UNSTATED,
        "license": UNSTATED,
        "data_source": UNSTATED,
        "data_type": "whatever SimpleITK reads: NIfTI, NRRD, MetaImage, DICOM series",
        "image_classes": ", ".join(f"channel {place}: {name}" for place, name in enumerate(channels)),
        "label_classes": ", ".join(f"{value} = {name}" for value, name in zip(model.values, classes, strict=True)),
        "pred_classes": f"{count(len(classes), 'channel')} of probabilities, in the order of label_classes",
        "eval_metrics": {} if summary.dice is None else {"mean_dice_of_the_validation_cases": round(summary.dice, 4)},
        "intended_use": "Research. Not a medical device, not for clinical decisions. Review every prediction.",
        "references": [METHOD, *_citations(model.framework)],
        "network_data_format": _data_format(model, channels, classes),
    }


def _origin(model: TrainedModel) -> str:
    if model.framework == ELSEWHERE:
        return "of a model from elsewhere, which was not trained further"
    return "that were trained by semi-supervised learning"


def _citations(framework: str) -> list[str]:
    return [describe_framework(framework).citation] if framework in FRAMEWORKS else []


def _data_format(model: TrainedModel, channels: list[str], classes: list[str]) -> dict[str, Any]:
    ct = {scheme["scheme"] for scheme in model.plan.intensity} == {"ct_window"}
    common = {"type": "image", "spatial_shape": list(model.plan.patch_zyx), "dtype": "float32", "is_patch_data": True}
    return {
        "inputs": {
            "image": {
                **common,
                "format": "hounsfield" if ct else "magnitude",
                "modality": "CT" if ct else "n/a",
                "num_channels": len(channels),
                "value_range": [-20, 20],
                "channel_def": {str(place): name for place, name in enumerate(channels)},
            }
        },
        "outputs": {
            "pred": {
                **common,
                "format": "labels",
                "num_channels": len(classes),
                "value_range": [0, 1],
                "channel_def": {str(place): name for place, name in enumerate(classes)},
            }
        },
    }
