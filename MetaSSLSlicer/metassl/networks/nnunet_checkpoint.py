"""The weights in a checkpoint of nnU-Net, by the names of our own network. Nothing in the file is ever run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from metassl.data.plan import Plan
from metassl.files.errors import ProjectError
from metassl.networks.unet import build_network

ENTRY = r"(?P<entry>conv|norm)\.(?P<kind>weight|bias)"
KINDS_OF_NUMBERS = "float16 float32 float64 bool int8 int16 int32 int64 uint8 uint16 uint32 uint64".split()
CORES = ("core", "_core")
"""Of numpy, before version 2 and since."""


@dataclass(frozen=True)
class NnunetCheckpoint:
    """configuration, mirror axes (of the model's 2 or 3), and the weights by nnU-Net's names."""

    path: Path
    configuration: str
    mirror_axes: tuple[int, ...]
    weights: dict[str, torch.Tensor]


def read_checkpoint(path: Path) -> NnunetCheckpoint:
    """Tensors and plain numbers alone are read (weights_only). Raises ProjectError, which says what else it wants."""
    try:
        with torch.serialization.safe_globals(_plain_numbers()):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except FileNotFoundError as error:
        raise ProjectError(f"there is no checkpoint {path}") from error
    except Exception as error:
        if type(error).__name__ != "UnpicklingError":
            raise ProjectError(f"{path} cannot be read as a checkpoint of nnU-Net ({type(error).__name__})") from error
        wanted = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f"the code of {wanted[1]}" if wanted else "more than tensors and numbers"
        raise ProjectError(
            f"{path} asks for {what}: it is not loaded, as such a file can run anything. Ask its author for one with "
            "the weights alone"
        ) from error
    try:
        weights = {str(name): tensor for name, tensor in content["network_weights"].items()}
        axes = content.get("inference_allowed_mirroring_axes") or ()
        found = NnunetCheckpoint(
            path, str(content["init_args"]["configuration"]), tuple(int(axis) for axis in axes), weights
        )
        if not all(isinstance(tensor, torch.Tensor) for tensor in weights.values()):
            raise TypeError
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ProjectError(f"{path} is no checkpoint of nnU-Net v2: it lacks weights or its configuration") from error
    return found


def _plain_numbers() -> list[Any]:
    """What a pickle of numpy's numbers names; the older module names, too."""
    functions = {"scalar": np.float64(0).__reduce__()[0], "_reconstruct": np.zeros(0).__reduce__()[0]}
    named = [(function, f"numpy.{core}.multiarray.{name}") for name, function in functions.items() for core in CORES]
    return [np.dtype, np.ndarray, *named, *{type(np.dtype(name)) for name in KINDS_OF_NUMBERS}]


def network_of(checkpoint: NnunetCheckpoint, plan: Plan) -> nn.Module:
    """The network of the plan with the weights of the checkpoint. Raises ProjectError where they do not fit."""
    levels = len(plan.filters)
    state: dict[str, torch.Tensor] = {}
    for name, tensor in checkpoint.weights.items():
        name = re.sub(r"^(?:_orig_mod\.|module\.)+", "", name)
        if ".all_modules." in name or name.startswith("decoder.encoder."):
            continue  # the same tensors once more
        ours = _our_name(name, levels)
        if ours is None:
            raise ProjectError(f"{checkpoint.path} has a layer {name}, which is in no network that we know of nnU-Net")
        if ours:
            state[ours] = tensor.float().clone()
    with torch.device("meta"):
        network: nn.Module = build_network(plan)
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    for name, shape in shapes.items():
        found = state.get(name)
        if found is not None and found.dim() == 4 and len(shape) == 5:
            found = state[name] = found[:, :, None]  # of a 2-D network
        if found is None or found.shape != shape:
            what = "lacks" if found is None else f"has {tuple(found.shape)} and not {tuple(shape)} numbers in"
            raise ProjectError(f"{checkpoint.path} does not belong to its plans.json: it {what} {name}")
    if left := sorted(state.keys() - shapes.keys()):
        raise ProjectError(f"{checkpoint.path} does not belong to its plans.json: it has {left[0]} besides")
    if not all(bool(tensor.isfinite().all()) for tensor in state.values()):
        raise ProjectError(f"{checkpoint.path} holds numbers that are not finite")
    network.load_state_dict(state, assign=True)
    return network.eval()


def _our_name(name: str, levels: int) -> str | None:
    """The name in our network; "" for what is of use in its training alone, None for what is not known."""

    def stage(level: int) -> str:
        if level == 0:
            return "input_block"
        return "bottleneck" if level == levels - 1 else f"downsamples.{level - 1}"

    if match := re.fullmatch(rf"encoder\.stages\.(\d+)\.0\.convs\.(\d+)\.{ENTRY}", name):
        return f"{stage(int(match[1]))}.{match[2]}.{match['entry']}.{match['kind']}"
    if match := re.fullmatch(rf"encoder\.stem\.convs\.0\.{ENTRY}", name):
        return f"input_block.0.{match['entry']}.{match['kind']}"
    if match := re.fullmatch(rf"encoder\.stages\.(\d+)\.blocks\.(\d+)\.(conv1|conv2|skip\.\d)\.{ENTRY}", name):
        block = int(match[2]) + (match[1] == "0")  # the stem comes before those of the first level
        part = "projection" if match[3].startswith("skip") else match[3]
        return f"{stage(int(match[1]))}.{block}.{part}.{match['entry']}.{match['kind']}"
    if match := re.fullmatch(rf"decoder\.stages\.(\d+)\.convs\.(\d+)\.{ENTRY}", name):
        return f"upsamples.{match[1]}.convolutions.{match[2]}.{match['entry']}.{match['kind']}"
    if match := re.fullmatch(r"decoder\.transpconvs\.(\d+)\.(weight|bias)", name):
        return f"upsamples.{match[1]}.transp_conv.conv.{match[2]}"
    if match := re.fullmatch(r"decoder\.seg_layers\.(\d+)\.(weight|bias)", name):
        return f"output_block.conv.{match[2]}" if int(match[1]) == levels - 2 else ""
    return None
