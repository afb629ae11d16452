"""The folder of a model as nnU-Net v2 writes it: its plans, and checkpoints of random weights under nnU-Net's names."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

LABELS = {"background": 0, "Anterior": 1, "Posterior": 2}
FEATURES, STRIDES = (4, 6, 8), ([1, 1, 1], [2, 2, 2], [1, 2, 2])
KERNELS = ([3, 3, 3], [3, 3, 3], [3, 3, 3])


def nnunet_folder(
    folder: Path,
    *,
    residual: bool = False,
    flat: bool = False,
    folds: Sequence[str] = ("0", "1"),
    labels: Mapping[str, Any] = LABELS,
    channels: Sequence[str] = ("MRI",),
    plans: Mapping[str, Any] | None = None,
    **configuration: Any,
) -> Path:
    """Write it to `folder`, which it returns. plans, configuration: entries other than the usual ones."""
    name = "2d" if flat else "3d_fullres"
    found = {**_configuration(residual, flat, len(channels)), **configuration}
    described = {
        "dataset_name": "Dataset504_Hippocampus",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "original_median_spacing_after_transp": [1.0, 1.0, 1.0],
        "image_reader_writer": "SimpleITKIO",
        "configurations": {name: found},
        "foreground_intensity_properties_per_channel": {
            str(n): {"mean": 90.0, "std": 30.0, "percentile_00_5": -50.0, "percentile_99_5": 200.0}
            for n in range(len(channels))
        },
        **(plans or {}),
    }
    dataset = {"channel_names": {str(n): name for n, name in enumerate(channels)}, "labels": dict(labels)}
    folder.mkdir(parents=True)
    (folder / "plans.json").write_text(json.dumps(described), encoding="utf-8")
    (folder / "dataset.json").write_text(json.dumps(dataset), encoding="utf-8")
    outputs = len([label for label in labels if label != "ignore"])
    for number, fold in enumerate(folds):
        (folder / f"fold_{fold}").mkdir()
        torch.save(
            {
                "network_weights": random_weights(residual, flat, len(channels), outputs, number),
                "init_args": {"configuration": name, "fold": number, "device": torch.device("cpu")},
                "trainer_name": "nnUNetTrainer",
                "inference_allowed_mirroring_axes": (0, 1) if flat else (0, 1, 2),
                "_best_ema": np.float64(0.8),
                "logging": {"mean_fg_dice": [np.float32(0.7)], "shapes": [np.zeros(2)]},
            },
            folder / f"fold_{fold}" / "checkpoint_final.pth",
        )
    return folder


def _configuration(residual: bool, flat: bool, channels: int) -> dict[str, Any]:
    first = 1 if flat else 0
    dimensions = "2" if flat else "3"
    network = "ResidualEncoderUNet" if residual else "PlainConvUNet"
    return {
        "patch_size": [16, 16] if flat else [8, 16, 16],
        "spacing": [1.0, 1.0, 1.0][first:],
        "normalization_schemes": ["ZScoreNormalization"] * channels,
        "use_mask_for_norm": [False] * channels,
        "resampling_fn_data": "resample_data_or_seg_to_shape",
        "resampling_fn_data_kwargs": {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None},
        "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
        "resampling_fn_probabilities_kwargs": {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None},
        "architecture": {
            "network_class_name": f"dynamic_network_architectures.architectures.unet.{network}",
            "arch_kwargs": {
                "n_stages": len(FEATURES),
                "features_per_stage": list(FEATURES),
                "conv_op": f"torch.nn.modules.conv.Conv{dimensions}d",
                "kernel_sizes": [kernel[first:] for kernel in KERNELS],
                "strides": [stride[first:] for stride in STRIDES],
                "n_blocks_per_stage" if residual else "n_conv_per_stage": [1, 2, 2],
                "n_conv_per_stage_decoder": [1, 2],
                "conv_bias": True,
                "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{dimensions}d",
                "norm_op_kwargs": {"eps": 1e-05, "affine": True},
                "nonlin": "torch.nn.LeakyReLU",
                "nonlin_kwargs": {"inplace": True},
            },
        },
    }


def random_weights(residual: bool, flat: bool, channels: int, outputs: int, seed: int) -> dict[str, torch.Tensor]:
    """A state dict with nnU-Net's names, those that it writes twice among them."""
    generator = torch.Generator().manual_seed(seed)
    state: dict[str, torch.Tensor] = {}
    first = 1 if flat else 0

    def put(name: str, *shape: int) -> None:
        state[name] = torch.randn(shape, generator=generator) * 0.3

    def convolution(name: str, inputs: int, features: int, kernel: Sequence[int], bias: bool = True) -> None:
        put(f"{name}.conv.weight", features, inputs, *kernel[first:])
        if bias:
            put(f"{name}.conv.bias", features)
        put(f"{name}.norm.weight", features)
        put(f"{name}.norm.bias", features)
        state[f"{name}.all_modules.0.weight"] = state[f"{name}.conv.weight"]

    inputs, counts = channels, (1, 2, 2)
    if residual:
        convolution("encoder.stem.convs.0", channels, FEATURES[0], KERNELS[0])
        inputs = FEATURES[0]
    for level, (features, kernel, stride) in enumerate(zip(FEATURES, KERNELS, STRIDES, strict=True)):
        for number in range(counts[level]):
            if residual:
                block = f"encoder.stages.{level}.blocks.{number}"
                convolution(f"{block}.conv1", inputs, features, kernel)
                convolution(f"{block}.conv2", features, features, kernel)
                if inputs != features:
                    skip = 1 if number == 0 and max(stride[first:]) > 1 else 0
                    convolution(f"{block}.skip.{skip}", inputs, features, [1, 1, 1], bias=False)
            else:
                convolution(f"encoder.stages.{level}.0.convs.{number}", inputs, features, kernel)
            inputs = features
    for level, count in enumerate((1, 2)):
        below, features = FEATURES[-1 - level], FEATURES[-2 - level]
        put(f"decoder.transpconvs.{level}.weight", below, features, *STRIDES[-1 - level][first:])
        put(f"decoder.transpconvs.{level}.bias", features)
        for number in range(count):
            inputs = features if number else 2 * features
            convolution(f"decoder.stages.{level}.convs.{number}", inputs, features, KERNELS[-2 - level])
        put(f"decoder.seg_layers.{level}.weight", outputs, features, *[1, 1, 1][first:])
        put(f"decoder.seg_layers.{level}.bias", outputs)
    state.update({f"decoder.{name}": tensor for name, tensor in state.items() if name.startswith("encoder.")})
    return state
