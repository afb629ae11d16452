"""The sliding window, the region map, the calibration and what is written per case."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from metassl.files.errors import ProjectError
from metassl.imaging.geometry import Geometry
from metassl.imaging.images import CaseImage
from metassl.inference.calibration import calibrate_thresholds
from metassl.inference.model import TrainedModel
from metassl.inference.one_pass import Pass
from metassl.inference.predictor import predict_image, summarise
from metassl.inference.region_map import DC, DS, OFFICIAL, UC, US, entropy, region_map
from metassl.inference.sliding_window import predict_pair, seen, window_starts
from metassl.inference.smaller_windows import with_smaller_windows
from metassl.networks.unet import build_network
from metassl.project.records import ErrorRates
from metassl.project.structures import LabelDefinition
from metassl.training.passes import Passes

CPU = torch.device("cpu")


class PerVoxel(torch.nn.Module):
    """Logits that depend on each voxel alone, so that any tiling must give the same result."""

    def forward(self, images):
        return torch.cat([-images, images, images * 0.5], 1)


def test_windows_of_one_slice_give_each_slice_its_own(tiny_plan):
    plan = tiny_plan()
    plan = replace(plan, patch_zyx=(1, 16, 16), strides=tuple((1, *stride[1:]) for stride in plan.strides))
    image = np.random.default_rng(0).normal(size=(1, 3, 40, 40)).astype(np.float32)
    found = predict_pair((PerVoxel(),), image, plan, CPU)
    whole = PerVoxel()(torch.from_numpy(image)[None]).softmax(1)[0].numpy()
    assert np.allclose(found[0], whole, atol=2e-3)


def test_a_gpu_without_memory_for_the_smallest_windows_leaves_the_image_to_the_cpu(tiny_plan, monkeypatch):
    """The GPU is one in name only: what is computed there raises what torch raises."""
    places = []

    class Network(PerVoxel):
        def to(self, device):
            places.append(str(device))
            return self

    def work(plan, device):
        if device.type == "cuda":
            raise torch.OutOfMemoryError("CUDA out of memory")
        return plan.patch_zyx

    monkeypatch.setattr("torch.cuda.empty_cache", lambda: None)
    plan, told = tiny_plan(), []
    networks, gpu = (Network(), Network()), torch.device("cuda")
    patch = with_smaller_windows(networks, plan, gpu, "a", work, lambda case, how: told.append(f"{case} {how}"))
    assert patch == plan.patch_zyx and places == ["cpu", "cpu", "cuda", "cuda"]
    assert told[-1] == "a on the CPU" and all(words.startswith("a in windows of ") for words in told[:-1])


@pytest.mark.parametrize("shape", [(16, 16, 16), (1, 40, 17), (37, 29, 70), (5, 5, 5)])
def test_windows_put_together_give_what_one_pass_over_the_whole_image_gives(shape, tiny_plan):
    image = np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)
    found = predict_pair((PerVoxel(), PerVoxel()), image, tiny_plan(), CPU)
    whole = PerVoxel()(torch.from_numpy(image)[None]).softmax(1)[0].numpy()
    assert found.shape == (2, 3, *shape)
    assert np.abs(found - whole).max() < 2e-3


@pytest.mark.parametrize("length", [1, 16, 17, 31, 64, 100])
def test_windows_cover_every_voxel_and_overlap(length):
    starts = window_starts(length, 16, 0.5)
    covered = np.zeros(max(length, 16), bool)
    for start in starts:
        covered[start : start + 16] = True
    assert covered.all()
    assert all(b - a <= 8 for a, b in zip(starts, starts[1:], strict=False))


def test_the_four_regions_follow_their_definition():
    thresholds = torch.tensor([[[0.6, 0.6]] * 2, [[0.7, 0.7]] * 2])
    first = torch.tensor([[0.9, 0.9, 0.9, 0.65]])
    second = torch.tensor([[0.8, 0.55, 0.45, 0.35]])
    pair = [torch.cat([p, 1 - p])[:, None, None] for p in (first, second)]
    maps = region_map(*pair, thresholds)
    assert maps.regions.flatten().tolist() == [UC, US, DC, DS]
    swapped = region_map(pair[1], pair[0], thresholds.flip(1))
    assert torch.equal(maps.regions, swapped.regions)
    sure_of_the_other = [torch.tensor([0.9, 0.1]), torch.tensor([0.45, 0.55])]
    both = region_map(*[p[:, None, None, None] for p in sure_of_the_other], thresholds)
    assert both.regions.item() == DC, "the surer one decides"
    assert region_map(*pair, thresholds[0]).regions.flatten().tolist() == [UC, US, DC, DC], "an older model"
    assert region_map(*pair, thresholds[0], OFFICIAL).regions.flatten().tolist() == [UC, US, DS, DC]


def test_uncertainty_is_zero_for_a_sure_voxel_and_one_for_a_coin_toss():
    values = entropy(torch.tensor([[1.0, 0.5], [0.0, 0.5]])[:, None, None])
    assert torch.allclose(values.flatten(), torch.tensor([0.0, 1.0]), atol=1e-6)


def pair_of(first, second):
    """Softmaxes (2, 2, 1, 1, x) of two classes, from the probability of the structure."""
    return np.stack([np.stack([1 - np.array(p), np.array(p)]) for p in (first, second)])[:, :, None, None]


def test_thresholds_are_mean_confidences_round_the_structure_and_of_their_own_where_networks_differ(tiny_plan):
    far = [0.0] * 5  # sure background, of which only the first lies within two voxels of what is predicted
    pair = pair_of([0.75, 0.875, 0.25, 0.375, 0.125, *far], [0.75, 0.75, 0.625, 0.75, 0.125, *far])
    agreeing, differing = calibrate_thresholds([pair], tiny_plan(classes=2))
    assert agreeing[0].tolist() == pytest.approx([(0.75 + 0.625 + 0.875 + 1) / 4, (0.75 + 0.875) / 2])
    assert differing[0].tolist() == pytest.approx([0.75, 0.9]), "the surer of the two; 0.9 where it never was"
    assert differing[1].tolist() == pytest.approx([0.9, 0.75])


def test_the_official_thresholds_are_means_over_all_voxels(tiny_plan):
    pair = pair_of([0.75, 0.25, 0.0, 0.0, 0.0, 0.0], [0.75, 0.25, 0.0, 0.0, 0.0, 0.0])
    found = calibrate_thresholds([pair], tiny_plan(classes=2), OFFICIAL)
    assert found[0, 0].tolist() == pytest.approx([(0.75 + 4) / 5, 0.75])
    assert torch.equal(found[0], found[1])


def test_an_oblique_image_gets_its_maps_on_its_own_grid(tmp_path, tiny_plan):
    angle = np.deg2rad(20)
    direction = (np.cos(angle), -np.sin(angle), 0, np.sin(angle), np.cos(angle), 0, 0, 0, -1)
    geometry = Geometry((20, 18, 22), (0.9, 0.9, 2.0), (5.0, -3.0, 7.0), tuple(map(float, direction)))
    array = np.random.default_rng(1).normal(size=(1, 22, 18, 20)).astype(np.float32)
    plan = tiny_plan()
    torch.manual_seed(0)
    model = TrainedModel(
        (build_network(plan).eval(), build_network(plan).eval()),
        plan,
        torch.full((2, 3), 0.4),
        [0, 5, 7],
        "cps",
        1,
        CPU,
    )
    prediction = predict_image(model, CaseImage(array, geometry), "a")
    assert prediction.geometry == geometry
    assert prediction.segmentation.shape == prediction.regions.shape == (22, 18, 20)
    assert set(np.unique(prediction.segmentation)) <= {0, 5, 7}
    assert prediction.regions.min() >= 1
    summary = summarise(prediction, "a", 1, [LabelDefinition(5, "A"), LabelDefinition(7, "B")], None, 1)
    assert sum(summary.voxels.values()) == 22 * 18 * 20
    assert summary.error_rates is None and summary.predicted_dice is None
    measured = ErrorRates(rates={"UC": 0.1})
    told = summarise(prediction, "a", 1, [LabelDefinition(5, "A"), LabelDefinition(7, "B")], measured, 1)
    assert told.error_rates == {"UC": 0.1} and told.predicted_dice is None
    volume = (prediction.segmentation > 0).sum() * 0.9 * 0.9 * 2.0 / 1000
    assert sum(summary.volume_ml.values()) == pytest.approx(volume)

    model.save(tmp_path / "model.pt")
    again = predict_image(TrainedModel.load(tmp_path / "model.pt", CPU), CaseImage(array, geometry), "a")
    assert np.array_equal(again.regions, prediction.regions)


def test_a_model_file_that_is_no_model_is_refused_in_one_line(tmp_path):
    (tmp_path / "model.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(ProjectError, match="cannot be read as a checkpoint") as caught:
        TrainedModel.load(tmp_path / "model.pt", CPU)
    assert "\n" not in str(caught.value)


def test_windows_of_air_are_background_without_a_look(tiny_plan):
    class Counting(torch.nn.Module):
        windows = 0

        def forward(self, images):
            Counting.windows += len(images)
            return torch.cat([-images, images, torch.zeros_like(images)], 1)

    image = np.full((1, 64, 16, 16), -2, np.float32)
    image[:, 48:] = np.random.default_rng(0).normal(2, 1, (1, 16, 16, 16))
    found = predict_pair((Counting(),), image, tiny_plan(), CPU)
    assert Counting.windows == 1, "of seven, the one that holds the body"
    assert (found[0, 0, :40] == 1).all() and found[0, 1, 56:].mean() > 0.5


def test_a_hole_in_a_body_is_looked_at_and_the_air_round_it_is_not():
    image = np.full((2, 40, 40, 40), -1, np.float32)
    image[0, 10:30, 10:30, 10:30] = 1
    image[0, 16:24, 12:28, 14:27] = -1
    found = seen(image)
    assert found[20, 20, 20] and found[8:32, 8:32, 8:32].all()
    assert not found[:6].any() and not found[..., 35:].any()
    assert not seen(np.zeros((1, 8, 8, 8), np.float16)).any()


def test_a_pass_that_was_kept_is_taken_once_and_is_what_it_was():
    pair = np.random.default_rng(0).random((2, 3, 4, 5, 6)).astype(np.float16)
    passes = Passes(kept_bytes=pair.nbytes)
    passes.keep("a", Pass(pair, [1.0]))
    passes.keep("b", Pass(pair, [2.0]))
    made = passes.take("a")
    assert (made.pair == pair).all() and made.features == [1.0]
    assert passes.take("a") is None and passes.take("b") is None, "there was no room for the second"
