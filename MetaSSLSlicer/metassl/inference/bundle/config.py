"""`configs/inference.json`: what `python -m monai.bundle run` puts together and runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from metassl.inference.model import TrainedModel
from metassl.networks.unet import network_arguments

_PARTS = "metassl.inference.bundle"
_SPECIAL = re.compile(r"[$@%]")


def inert(text: str) -> str:
    """A text that MONAI's parser takes for nothing but a text: it runs what begins with $, and looks up @ and %."""
    return _SPECIAL.sub("_", text)


def inference_config(model: TrainedModel, channels: Sequence[str]) -> dict[str, Any]:
    """The configuration of a bundle whose folder is the working directory."""
    if model.plan.given is None:
        network = {"_target_": "scripts.unet.UNet", **network_arguments(model.plan)}
    else:
        network = {"_target_": f"{_PARTS}.network_of", "plan": "@plan"}
    maps = [("pred", "", "uint8"), ("regions", "regions", "uint8"), ("uncertainty", "uncertainty", "float32")]
    learnt = model.error_model is not None
    if learnt:
        maps.append(("error_probability", "error_probability", "float32"))
    return {
        "imports": ["$import torch"],
        "bundle_root": ".",
        "dataset_dir": "$@bundle_root + '/images'",
        "output_dir": "$@bundle_root + '/eval'",
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "channels": [inert(name) for name in channels],
        "plan": model.plan.to_json(),
        "label_values": list(model.values),
        "thresholds": model.thresholds.tolist(),
        "offsets": None if model.point.offsets is None else list(model.point.offsets),
        "one_piece": list(model.point.one_piece),
        "region_map": model.definition,
        "error_model": "$@bundle_root + '/models/error_model.pt'" if learnt else None,
        "network_def": {"_target_": "scripts.unet.Pair", "first": network, "second": network, "offsets": "@offsets"},
        "network": "$@network_def.to(@device)",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {
                    "_target_": "LoadImaged",
                    "keys": "image",
                    "reader": {"_target_": f"{_PARTS}.CaseReader", "channels": len(channels)},
                },
                {"_target_": "EnsureChannelFirstd", "keys": "image"},
                {"_target_": f"{_PARTS}.ToPlanGridd", "keys": "image", "plan": "@plan"},
            ],
        },
        "dataset": {
            "_target_": "Dataset",
            "data": {"_target_": f"{_PARTS}.cases_in", "folder": "@dataset_dir", "channels": "@channels"},
            "transform": "@preprocessing",
        },
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1, "shuffle": False},
        "inferer": {
            "_target_": f"{_PARTS}.PairInferer",
            "plan": "@plan",
            "offsets": "@offsets",
            "one_piece": "@one_piece",
        },
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {
                    "_target_": f"{_PARTS}.RegionMapd",
                    "keys": "pred",
                    "plan": "@plan",
                    "thresholds": "@thresholds",
                    "values": "@label_values",
                    "definition": "@region_map",
                    "error_model": "@error_model",
                },
                *(_save(key, postfix, dtype) for key, postfix, dtype in maps),
            ],
        },
        "handlers": [{"_target_": "StatsHandler", "iteration_log": False}],
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "@network",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
            "val_handlers": "@handlers",
        },
        "checkpointloader": {
            "_target_": "CheckpointLoader",
            "load_path": "$@bundle_root + '/models/model.pt'",
            "load_dict": {"model": "@network"},
            "map_location": "@device",
        },
        "initialize": ["$@checkpointloader(@evaluator)"],
        "run": ["$@evaluator.run()"],
    }


def _save(key: str, postfix: str, dtype: str) -> dict[str, Any]:
    return {
        "_target_": "SaveImaged",
        "keys": key,
        "output_dir": "@output_dir",
        "output_postfix": postfix,
        "output_ext": ".nii.gz",
        "output_dtype": dtype,
        "separate_folder": False,
        "resample": False,
        "writer": f"{_PARTS}.GridWriter",
    }
