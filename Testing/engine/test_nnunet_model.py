"""A model that nnU-Net has trained, out of its folder: its plan, its weights, and what is refused."""

from __future__ import annotations

import json
import pickle
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from metassl.choices.frameworks import FRAMEWORKS
from metassl.data.augment import Augmentation
from metassl.data.plan import Plan
from metassl.data.streams import Batch, PatchSampler, PreparedCase
from metassl.files import ProjectError
from metassl.frameworks import build_framework
from metassl.frameworks.base import Shares
from metassl.imaging.images import IGNORE
from metassl.inference.elsewhere.sources import nnunet_model
from metassl.inference.sliding_window import predict_pair
from metassl.intake.nnunet_model import read_nnunet_model
from metassl.training.train import augmentation
from nnunet_folder import FEATURES, STRIDES, nnunet_folder

CPU = torch.device("cpu")


def logits_by_nnunets_names(state: dict[str, torch.Tensor], image: torch.Tensor, residual: bool) -> torch.Tensor:
    """The two networks written down once more, straight from nnU-Net's names."""

    def convolution(name: str, x: torch.Tensor, stride, active: bool = True) -> torch.Tensor:
        weight = state[f"{name}.conv.weight"]
        padding = [size // 2 for size in weight.shape[2:]]
        convolve = F.conv3d if weight.dim() == 5 else F.conv2d
        x = convolve(x, weight, state.get(f"{name}.conv.bias"), stride, padding)
        x = F.instance_norm(x, weight=state[f"{name}.norm.weight"], bias=state[f"{name}.norm.bias"])
        return F.leaky_relu(x, 0.01) if active else x

    first = 5 - image.dim()
    x, skips = image, []
    if residual:
        x = convolution("encoder.stem.convs.0", x, 1)
    for level, whole in enumerate(STRIDES):
        for number in range((1, 2, 2)[level]):
            stride = whole[first:] if number == 0 else [1] * (3 - first)
            if not residual:
                x = convolution(f"encoder.stages.{level}.0.convs.{number}", x, stride)
                continue
            block, around = f"encoder.stages.{level}.blocks.{number}", x
            x = convolution(f"{block}.conv2", convolution(f"{block}.conv1", x, stride), 1, active=False)
            if max(stride) > 1:
                around = (F.avg_pool3d if first == 0 else F.avg_pool2d)(around, stride, stride)
            for place in (0, 1):
                if f"{block}.skip.{place}.conv.weight" in state:
                    around = convolution(f"{block}.skip.{place}", around, 1, active=False)
            x = F.leaky_relu(x + around, 0.01)
        skips.append(x)
    x = skips.pop()
    for level, count in enumerate((1, 2)):
        stride = STRIDES[-1 - level][first:]
        convolve = F.conv_transpose3d if first == 0 else F.conv_transpose2d
        up = [state[f"decoder.transpconvs.{level}.{part}"] for part in ("weight", "bias")]
        x = torch.cat([convolve(x, *up, stride=stride), skips.pop()], 1)
        for number in range(count):
            x = convolution(f"decoder.stages.{level}.convs.{number}", x, 1)
    last = state["decoder.seg_layers.1.weight"], state["decoder.seg_layers.1.bias"]
    return (F.conv3d if first == 0 else F.conv2d)(x, *last)


@pytest.mark.parametrize("flat", [False, True], ids=["3-D", "2-D"])
@pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
def test_its_network_says_of_an_image_what_its_layers_say_one_by_one(tmp_path, residual, flat):
    folder = nnunet_folder(tmp_path / "model", residual=residual, flat=flat, channels=("T1", "T2"))
    model = nnunet_model(folder, CPU)
    image = torch.randn(2, 2, *model.plan.patch_zyx)
    assert model.plan.patch_zyx == ((1, 16, 16) if flat else (8, 16, 16))
    for network, fold in zip(model.networks, ("0", "1"), strict=True):
        kept = torch.load(folder / f"fold_{fold}" / "checkpoint_final.pth", weights_only=False)["network_weights"]
        with torch.no_grad():
            ours = network(image)
            theirs = logits_by_nnunets_names(kept, image[:, :, 0] if flat else image, residual)
        assert torch.allclose(ours[:, :, 0] if flat else ours, theirs, atol=1e-5)


def test_its_grid_its_values_and_its_windows_become_the_plan(tmp_path):
    folder = nnunet_folder(
        tmp_path / "model",
        channels=("CT", "PET"),
        plans={"transpose_forward": [1, 0, 2], "original_median_spacing_after_transp": [3.0, 0.8, 0.8]},
        spacing=[3.0, 0.8, 0.8],
        normalization_schemes=["CTNormalization", "ZScoreNormalization"],
        use_mask_for_norm=[False, True],
    )
    plan = nnunet_model(folder, CPU).plan
    assert (plan.spacing_zyx, plan.patch_zyx, plan.classes) == ((3.0, 0.8, 0.8), (8, 16, 16), 3)
    assert plan.filters == FEATURES and plan.total_stride == (2, 4, 4)
    assert plan.given.transpose == (1, 0, 2) and plan.given.mirror_axes == (0, 1, 2)
    window = {"scheme": "ct_window", "low": -50.0, "high": 200.0, "mean": 90.0, "std": 30.0}
    assert plan.intensity == (window, {"scheme": "zscore_nonzero"})
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    flat = nnunet_model(nnunet_folder(tmp_path / "flat", flat=True), CPU).plan
    assert flat.given.slicewise and flat.given.mirror_axes == (1, 2)


def test_plans_of_before_nnunet_2_4_describe_the_same_network(tmp_path):
    folder = nnunet_folder(tmp_path / "model")
    path = folder / "plans.json"
    plans = json.loads(path.read_text(encoding="utf-8"))
    found = plans["configurations"]["3d_fullres"]
    arguments = found.pop("architecture")["arch_kwargs"]
    found |= {
        "UNet_class_name": "PlainConvUNet",
        "UNet_base_num_features": 4,
        "unet_max_num_features": 6,
        "n_conv_per_stage_encoder": arguments["n_conv_per_stage"],
        "n_conv_per_stage_decoder": arguments["n_conv_per_stage_decoder"],
        "pool_op_kernel_sizes": arguments["strides"],
        "conv_kernel_sizes": arguments["kernel_sizes"],
    }
    path.write_text(json.dumps(plans), encoding="utf-8")
    with pytest.raises(ProjectError, match=r"does not belong to its plans.json: it has \(8, 6, 3, 3, 3\) and not"):
        nnunet_model(folder, CPU)  # with at most 6 features a level; the weights are of 8
    found["unet_max_num_features"] = 320
    path.write_text(json.dumps(plans | {"configurations": {"3d_fullres": found}}), encoding="utf-8")
    with pytest.raises(ProjectError, match="does not belong"):
        nnunet_model(folder, CPU)  # 4, 8, 16
    found["architecture"] = {"network_class_name": "x.PlainConvUNet", "arch_kwargs": arguments}
    path.write_text(json.dumps(plans | {"configurations": {"3d_fullres": found}}), encoding="utf-8")
    assert nnunet_model(folder, CPU).plan.filters == FEATURES


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_a_checkpoint_that_would_run_code_is_refused_and_runs_none(tmp_path):
    folder = nnunet_folder(tmp_path / "model", folds=("0",))
    path = folder / "fold_0" / "checkpoint_final.pth"
    content = torch.load(path, weights_only=False)
    torch.save({**content, "logging": Malicious(tmp_path / "ran")}, path)
    with pytest.raises(ProjectError, match=r"checkpoint_final.pth asks for the code of .*open: it is not loaded"):
        nnunet_model(folder, CPU)
    assert not (tmp_path / "ran").exists()
    path.write_bytes(pickle.dumps(Malicious(tmp_path / "ran")))
    with pytest.raises(ProjectError, match="checkpoint_final.pth"):
        nnunet_model(folder, CPU)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": {"background": 0, "whole": [1, 2], "core": 2}}, "dataset.json cannot be used"),
        ({"previous_stage": "3d_lowres"}, "second stage of a cascade"),
        ({"preprocessor_name": "MyPreprocessor"}, "preprocessor_name is MyPreprocessor"),
        ({"normalization_schemes": ["MyNormalization"]}, "channel 0 is normalised by MyNormalization"),
        ({"resampling_fn_probabilities": "resample_torch_fornnunet"}, "resampled by resample_torch_fornnunet"),
        ({"architecture": {"network_class_name": "my.Primus", "arch_kwargs": {}}}, "its network is Primus"),
        ({"plans": {"image_reader_writer": "NaturalImage2DIO"}}, "read by NaturalImage2DIO"),
        ({"folds": ()}, r"has no trained fold: there is no fold_\*/checkpoint_final.pth"),
        ({"spacing": "wide"}, "configuration '3d_fullres' cannot be used"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_known_of_a_model_is_refused_in_words(tmp_path, changes, said):
    folder = nnunet_folder(tmp_path / "model", **changes)
    with pytest.raises(ProjectError, match=said):
        nnunet_model(folder, CPU)


def test_a_layer_that_no_known_network_has_is_refused(tmp_path):
    folder = nnunet_folder(tmp_path / "model")
    path = folder / "fold_1" / "checkpoint_final.pth"
    content = torch.load(path, weights_only=False)
    content["network_weights"]["encoder.attention.weight"] = torch.zeros(3)
    torch.save(content, path)
    with pytest.raises(ProjectError, match=re.escape(f"{path} has a layer encoder.attention.weight")):
        nnunet_model(folder, CPU)
    with pytest.raises(ProjectError, match="needs plans.json and dataset.json"):
        read_nnunet_model(tmp_path)


def test_of_a_single_fold_the_second_network_is_a_copy_that_is_a_little_off_and_always_the_same(tmp_path):
    folder = nnunet_folder(tmp_path / "model", folds=("all",))
    model, again = nnunet_model(folder, CPU), nnunet_model(folder, CPU)
    image = torch.randn(1, 1, 8, 16, 16)
    with torch.no_grad():
        first, second, same = (network(image).softmax(1) for network in (*model.networks, again.networks[1]))
    assert torch.equal(second, same) and 0.001 < float((first - second).abs().mean()) < 0.3


def test_voxels_to_ignore_are_no_output_and_the_best_checkpoint_serves_where_the_final_one_is_missing(tmp_path):
    folder = nnunet_folder(tmp_path / "model", labels={"background": 0, "Organ": 1, "ignore": 2}, folds=("10", "2"))
    (folder / "fold_10" / "checkpoint_final.pth").rename(folder / "fold_10" / "checkpoint_best.pth")
    found = read_nnunet_model(folder)
    assert found.values == [0, 1]
    assert [f"{path.parent.name}/{path.name}" for path in found.checkpoints] == [
        "fold_2/checkpoint_final.pth",
        "fold_10/checkpoint_best.pth",
    ]
    model = nnunet_model(folder, CPU)
    first, second = (next(network.parameters()) for network in model.networks)
    assert model.plan.classes == 2 and not torch.equal(first, second)


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_every_framework_begins_with_its_networks_and_takes_a_step(tmp_path, name):
    model = nnunet_model(nnunet_folder(tmp_path / "model"), CPU)
    plan = replace(model.plan, patch_zyx=(4, 8, 8))
    framework = build_framework(name, plan)
    framework.begin_with(model.networks)
    framework.planned_steps = 10
    first = model.networks[0].state_dict()
    assert all(torch.equal(tensor, first[key]) for key, tensor in framework.networks[0].state_dict().items())
    torch.manual_seed(0)
    images = torch.randn(2, 1, 1, 4, 8, 8)
    batch = Batch(images[0], torch.randint(0, 3, (1, 4, 8, 8)), images[1], ["a"], ["b"])
    output = framework.training_loss(batch, 0.9)
    output.total.backward()
    assert torch.isfinite(output.total)
    groups = framework.parameter_groups(Shares(0.1, 0.5))
    assert [group["share"] for group in groups] == [0.1, 0.5, 1.0]
    assert sum(len(group["params"]) for group in groups) == len(list(framework.trained_parameters()))
    assert len(groups[-1]["params"]) == 2 * len(framework.networks), "a weight and a bias each"
    assert all(network(images[0]).shape == (1, 3, 4, 8, 8) for network in framework.inference_pair())


class Watched(torch.nn.Module):
    """Keeps what it sees; says that all is background."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen = images
        return torch.zeros(len(images), 3, *images.shape[2:])


@pytest.mark.parametrize("is_ours", [False, True])
def test_beyond_a_small_image_training_shows_what_predicting_shows(tmp_path, tiny_plan, is_ours):
    plan = tiny_plan() if is_ours else nnunet_model(nnunet_folder(tmp_path / "model"), CPU).plan
    if plan.given is not None:
        plan = replace(plan, given=replace(plan.given, mirror_axes=()))
    shape = tuple(size - 4 for size in plan.patch_zyx)
    image = np.random.default_rng(0).normal(3, 1, (1, *shape)).astype(np.float32)
    job = SimpleNamespace(project=SimpleNamespace(settings={}))
    chosen = augmentation(job, plan)
    still = Augmentation(0, (1, 1), 0, 0, 0, (1, 1), 0, 0, outside=chosen.outside)
    case = PreparedCase("a", image, np.ones(shape, np.uint8))
    for seed in range(20):  # until nothing was blurred
        patch = PatchSampler(plan, [case], [case.without_label()], seed, still).batch(0)
        watched = Watched()
        predict_pair([watched], image, plan, CPU)
        if torch.allclose(patch.labelled, watched.seen.float(), atol=1e-2):
            break
    else:
        pytest.fail("a network is trained on a border that it does not see again")
    assert ((patch.annotation == IGNORE).sum() == patch.annotation.numel() - np.prod(shape)).all()
