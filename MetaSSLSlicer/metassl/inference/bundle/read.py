"""A model out of a MONAI bundle that `write` made. Nothing that stands in the bundle is run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from metassl.files.errors import ProjectError
from metassl.files.json_files import read_json
from metassl.files.json_kinds import having, list_of, text, texts, whole
from metassl.inference.model import TrainedModel
from metassl.networks.checkpoint import load_weights
from metassl.project.round_files import USUAL
from metassl.project.structures import LabelDefinition, check_labels

from .layout import Files

_FACTS = {
    "structures": list_of(having(value=whole, name=text, color=text, terminology=text)),
    "channels": texts,
    "framework": text,
    "step": whole,
    "usual": USUAL,
}


@dataclass(frozen=True)
class ReadBundle:
    """usual: what the images that the model was trained on are like, see `data.unlike.Usual`."""

    model: TrainedModel
    structures: list[LabelDefinition]
    channels: list[str]
    usual: dict[str, Any] | None


def read_bundle(folder: Path, device: torch.device) -> ReadBundle:
    """Raises ProjectError when the folder holds no bundle of MetaSSL, or a damaged one."""
    files = Files(Path(folder))
    if not files.facts.is_file():
        raise ProjectError(
            f"{folder} is no bundle of MetaSSL, as there is no file {files.facts}: such bundles are made by "
            "`metassl export PROJECT DIR --format bundle`"
        )
    facts = read_json(files.facts, "the description of the bundle", _FACTS, "export the model again")
    config = read_json(files.inference, "the configuration of the bundle", {}, "export the model again")
    try:
        structures = check_labels(LabelDefinition(**entry) for entry in facts["structures"])
        state = load_weights(files.model)
        model = TrainedModel.of(
            {
                "networks": [_part(state, name) for name in ("first", "second")],
                "plan": config["plan"],
                "thresholds": torch.tensor(config["thresholds"], dtype=torch.float32),
                "values": config["label_values"],
                "framework": facts["framework"],
                "step": facts["step"],
                "definition": config["region_map"],
                "offsets": config.get("offsets"),
                "one_piece": config.get("one_piece", []),
                "error_model": load_weights(files.error_model) if config.get("error_model") else None,
            },
            Path(folder),
            device,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ProjectError(
            f"{folder} is a damaged bundle ({type(error).__name__}: {error}): export it again"
        ) from error
    return ReadBundle(model, structures, facts["channels"], facts.get("usual"))


def _part(state: dict[str, torch.Tensor], name: str) -> dict[str, torch.Tensor]:
    return {key.removeprefix(f"{name}."): tensor for key, tensor in state.items() if key.startswith(f"{name}.")}
