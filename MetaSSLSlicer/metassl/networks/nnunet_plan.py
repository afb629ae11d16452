"""The plan of ours that says what nnU-Net's plans.json says: its grid, its values, its network."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metassl.data.budget import choose_precision
from metassl.data.given import Given, Resampling
from metassl.data.plan import Plan
from metassl.files.errors import MetaSSLError, ProjectError
from metassl.imaging.geometry import triple

SCHEMES = {
    "ZScoreNormalization": "zscore",
    "NoNormalization": "as_stored",
    "RescaleTo01Normalization": "rescale_01",
    "RGBTo01Normalization": "rgb_01",
    "CTNormalization": "ct_window",
}
RESIDUAL = {"PlainConvUNet": False, "ResidualEncoderUNet": True}
CANONICAL = {"SimpleITKIO": False, "NibabelIO": False, "NibabelIOWithReorient": True}
RESAMPLING = "resample_data_or_seg_to_shape"
LEAST_DEVIATION = 1e-8
ANY_BATCH = (1, 1)
"""A batch is chosen when training begins (`Plan.on_device`)."""


def plan_of_nnunet(
    plans: Mapping[str, Any], configuration: str, channels: int, outputs: int, mirror_axes: Sequence[int], path: Path
) -> Plan:
    """The plan of a configuration. mirror_axes: as its checkpoint has them; path: of plans.json, for messages.

    Raises ProjectError, saying what of it is not known here.
    """
    try:
        found = _configuration(plans["configurations"], configuration)
        _refuse(found, plans)
        return _plan(plans, found, channels, outputs, mirror_axes)
    except MetaSSLError as error:
        raise ProjectError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ProjectError(
            f"{path}: its configuration {configuration!r} cannot be used ({type(error).__name__}: {error})"
        ) from error


def _configuration(all_of_them: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A configuration with what it takes over from others."""
    chain = [name]
    while (parent := all_of_them[chain[-1]].get("inherits_from")) is not None and parent not in chain:
        chain.append(parent)
    found: dict[str, Any] = {}
    for each in reversed(chain):
        found.update(copy.deepcopy(all_of_them[each]))
    return found


def _refuse(found: Mapping[str, Any], plans: Mapping[str, Any]) -> None:
    if found.get("previous_stage"):
        raise ProjectError("it is the second stage of a cascade, which needs the first: take the model of 3d_lowres")
    for key, known in (("preprocessor_name", "DefaultPreprocessor"), ("resampling_fn_data", RESAMPLING)):
        if found.get(key, known) != known:
            raise ProjectError(f"its {key} is {found[key]}, which is not known here")
    if found.get("resampling_fn_probabilities", RESAMPLING) != RESAMPLING:
        raise ProjectError(f"its probabilities are resampled by {found['resampling_fn_probabilities']}: not known here")
    if plans.get("image_reader_writer") not in CANONICAL:
        raise ProjectError(f"its images are read by {plans.get('image_reader_writer')}: only 3-D images are known here")


def _architecture(found: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The name of the network and its arguments, also of plans before nnU-Net 2.4."""
    if "architecture" in found:
        architecture = found["architecture"]
        return architecture["network_class_name"].rpartition(".")[2], architecture["arch_kwargs"]
    convolutions = found["n_conv_per_stage_encoder"]
    first, most = found["UNet_base_num_features"], found["unet_max_num_features"]
    kind = found["UNet_class_name"]
    return kind, {
        "features_per_stage": [min(first * 2**level, most) for level in range(len(convolutions))],
        "kernel_sizes": found["conv_kernel_sizes"],
        "strides": found["pool_op_kernel_sizes"],
        "n_blocks_per_stage" if RESIDUAL.get(kind) else "n_conv_per_stage": convolutions,
        "n_conv_per_stage_decoder": found["n_conv_per_stage_decoder"],
        "conv_bias": True,
    }


def _plan(
    plans: Mapping[str, Any], found: Mapping[str, Any], channels: int, outputs: int, mirror_axes: Sequence[int]
) -> Plan:
    kind, arguments = _architecture(found)
    if kind not in RESIDUAL:
        raise ProjectError(f"its network is {kind}: only {' and '.join(RESIDUAL)} are known here")
    _refuse_network(arguments)
    residual, patch = RESIDUAL[kind], found["patch_size"]
    flat = len(patch) == 2
    levels = len(arguments["features_per_stage"])
    spacing = [float(mm) for mm in found["spacing"]]
    source = [float(mm) for mm in plans["original_median_spacing_after_transp"]]
    per_level = arguments["n_blocks_per_stage" if residual else "n_conv_per_stage"]
    given = Given(
        residual=residual,
        convolutions=_each(per_level, levels),
        decoder_convolutions=_each(arguments["n_conv_per_stage_decoder"], levels - 1),
        biased=bool(arguments.get("conv_bias", False)),
        outputs=tuple(range(outputs)),
        transpose=triple(int(axis) for axis in plans["transpose_forward"]),
        canonical=CANONICAL[plans["image_reader_writer"]],
        slicewise=flat,
        mirror_axes=tuple(int(axis) + flat for axis in mirror_axes),
        image=_resampling(found.get("resampling_fn_data_kwargs"), 3),
        probabilities=_resampling(found.get("resampling_fn_probabilities_kwargs"), 1),
    )
    return Plan(
        axes="stack",
        spacing_zyx=triple([source[0], *spacing] if flat else spacing),
        source_spacing_zyx=triple(source),
        patch_zyx=_three(patch),
        batch=ANY_BATCH,
        intensity=tuple(_scheme(plans, found, channel) for channel in range(channels)),
        filters=tuple(int(count) for count in arguments["features_per_stage"]),
        kernels=tuple(_three(kernel, flat) for kernel in _each(arguments["kernel_sizes"], levels)),
        strides=tuple(_three(stride, flat) for stride in _each(arguments["strides"], levels)),
        in_channels=channels,
        classes=outputs,
        precision=choose_precision("cpu"),
        given=given,
    )


def _refuse_network(arguments: Mapping[str, Any]) -> None:
    def is_unlike(name: str, *known: str) -> bool:
        value = arguments.get(name)
        return value is not None and not str(value).endswith(known)

    unlike = {
        "norm_op": is_unlike("norm_op", "InstanceNorm2d", "InstanceNorm3d"),
        "nonlin": is_unlike("nonlin", "LeakyReLU"),
        "nonlin_first": bool(arguments.get("nonlin_first")),
        "block": is_unlike("block", "BasicBlockD"),
        "stem_channels": arguments.get("stem_channels") not in (None, arguments["features_per_stage"][0]),
        "norm_op_kwargs": (arguments.get("norm_op_kwargs") or {}).get("eps", 1e-5) != 1e-5,
        "nonlin_kwargs": (arguments.get("nonlin_kwargs") or {}).get("negative_slope", 0.01) != 0.01,
    }
    for name, is_not_known in unlike.items():
        if is_not_known:
            raise ProjectError(f"its network has {name} {arguments[name]!r}, which is not known here")


def _scheme(plans: Mapping[str, Any], found: Mapping[str, Any], channel: int) -> dict[str, Any]:
    name = found["normalization_schemes"][channel]
    if name not in SCHEMES:
        raise ProjectError(f"its channel {channel} is normalised by {name}, which is not known here")
    scheme = SCHEMES[name]
    if scheme == "zscore" and found["use_mask_for_norm"][channel]:
        return {"scheme": "zscore_nonzero"}
    if scheme != "ct_window":
        return {"scheme": scheme}
    facts = plans["foreground_intensity_properties_per_channel"][str(channel)]
    numbers = {"low": "percentile_00_5", "high": "percentile_99_5", "mean": "mean", "std": "std"}
    window = {ours: float(facts[theirs]) for ours, theirs in numbers.items()}
    return {"scheme": scheme, **window, "std": max(window["std"], LEAST_DEVIATION)}


def _resampling(told: Mapping[str, Any] | None, order: int) -> Resampling:
    told = told or {}
    return Resampling(int(told.get("order", order)), int(told.get("order_z", 0)), told.get("force_separate_z"))


def _each(values: Any, count: int) -> tuple:
    """One value for each level, where one stands for all."""
    return tuple(values) if isinstance(values, (list, tuple)) else (values,) * count


def _three(sizes: Any, flat: bool = False) -> tuple[int, int, int]:
    """Sizes along the grid axes, of a number for all or of two numbers in the plane."""
    if isinstance(sizes, int):
        return triple((1, sizes, sizes) if flat else (sizes,) * 3)
    return triple(int(size) for size in ([1, *sizes] if len(sizes) == 2 else sizes))
