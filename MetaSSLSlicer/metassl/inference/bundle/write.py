"""The model of a round as a MONAI bundle: everything that predicting needs, and what MONAI asks to be told of it."""

from __future__ import annotations

import inspect
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from metassl.exports import Export
from metassl.files.atomic import make_folder, write_text
from metassl.files.json_files import write_json
from metassl.inference.model import TrainedModel
from metassl.networks import unet
from metassl.networks.checkpoint import save_weights
from metassl.networks.unet import Pair
from metassl.project.project import Project
from metassl.project.round_choice import model_round
from metassl.project.round_files import read_notes
from metassl.project.words import count

from .config import inference_config
from .layout import Files
from .metadata import UNSTATED, metadata
from .texts import LOGGING, licence, readme


def write(export: Export) -> None:
    """Write the bundle of the model that predicts, see `model_round`. Raises ProjectError when there is none."""
    project = export.project
    found = model_round(project)
    model = TrainedModel.load(found.model_path, torch.device("cpu"))
    structures = model.known(project.labels)
    files = Files(export.folder)
    for path in (files.metadata, files.model, files.network_code, files.readme):
        make_folder(path.parent)
    about = metadata(project, found, model)
    _write(files.metadata, about)
    _write(files.inference, inference_config(model, project.channels))
    write_text(files.logging, LOGGING)
    facts = {
        "structures": [asdict(each) for each in structures],
        "channels": project.channels,
        "framework": model.framework,
        "step": model.step,
        "usual": read_notes(found)[1],
    }
    write_json(files.facts, facts)
    save_weights(files.model, Pair(*model.networks).state_dict())
    if model.error_model is not None:
        save_weights(files.error_model, model.error_model.state_dict())
    write_text(files.network_code, inspect.getsource(unet))
    write_text(files.network_code.with_name("__init__.py"), "")
    write_text(files.readme, readme(about, structures, project.channels, model))
    write_text(files.licence, licence(about["name"]))
    export.result.made = f"a MONAI bundle of the model of {found.title} ({count(len(structures), 'structure')})"
    export.result.notes += _notes(project, model)


def _notes(project: Project, model: TrainedModel) -> list[str]:
    notes = [
        f'authors, copyright, license and data_source are "{UNSTATED}" in configs/metadata.json, and LICENSE grants '
        "nothing: fill them in before you pass the bundle on"
    ]
    later = [label.name for label in project.labels if label.value not in model.values]
    if later:
        notes.append(f"the model does not know {', '.join(later)}, which came after it: train a round")
    return notes


def _write(path: Path, document: dict[str, Any]) -> None:
    write_text(path, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
