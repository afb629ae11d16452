"""The folder of a model that nnU-Net v2 has trained: what it segments, on which channels, and where its folds are.

Only its descriptions (JSON) are read here; its weights are the engine's (`networks.nnunet_checkpoint`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metassl.files.errors import ProjectError
from metassl.files.json_files import read_json
from metassl.project.structures import LabelDefinition

from .layouts.dataset_json import DESCRIPTION, channels_of, structures_of

PLANS = "plans.json"
CHECKPOINTS = ("checkpoint_final.pth", "checkpoint_best.pth")
"""The first that is there, in each fold."""

_FOLD = re.compile(r"fold_(\d+|all)")


@dataclass(frozen=True)
class NnunetModel:
    """checkpoints: one a fold, in order. values: the value in nnU-Net's labels of each output, background first."""

    folder: Path
    plans: dict[str, Any]
    structures: list[LabelDefinition]
    channels: list[str]
    checkpoints: list[Path]

    @property
    def values(self) -> list[int]:
        return [0, *(label.value for label in self.structures)]


def is_nnunet_model(folder: Path) -> bool:
    """Whether this looks like the folder of a trained model: with plans, a description and folds."""
    folder = Path(folder)
    return (folder / PLANS).is_file() and (folder / DESCRIPTION).is_file()


def read_nnunet_model(folder: Path) -> NnunetModel:
    """Raises ProjectError, naming the file, where it is none, or segments overlapping regions."""
    folder = Path(folder).expanduser().absolute()
    if not is_nnunet_model(folder):
        raise ProjectError(
            f"{folder} is no folder of a model of nnU-Net v2: it needs {PLANS} and {DESCRIPTION} beside its folds, "
            "as in nnUNet_results/DATASET/TRAINER__PLANS__CONFIGURATION"
        )
    plans = read_json(folder / PLANS, "the plans file of the model")
    path = folder / DESCRIPTION
    description = read_json(path, "the description of the model's data set")
    if not isinstance(description.get("labels"), dict) or not isinstance(plans.get("configurations"), dict):
        raise ProjectError(f"{folder} is of no model of nnU-Net v2: its descriptions lack labels or configurations")
    structures, _ignored = structures_of(description, path)
    return NnunetModel(folder, plans, structures, channels_of(description, path), _checkpoints(folder))


def _checkpoints(folder: Path) -> list[Path]:
    folds = [path for path in folder.iterdir() if _FOLD.fullmatch(path.name) and path.is_dir()]
    folds.sort(key=lambda path: (path.name == "fold_all", int("0" + "".join(filter(str.isdigit, path.name)))))
    candidates = [[fold / name for name in CHECKPOINTS if (fold / name).is_file()] for fold in folds]
    found = [paths[0] for paths in candidates if paths]
    if not found:
        raise ProjectError(f"{folder} has no trained fold: there is no fold_*/{CHECKPOINTS[0]}")
    return found
