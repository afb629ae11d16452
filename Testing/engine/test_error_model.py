"""The learnt P(error): its features, what it learns, where it is kept and when it is not."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from metassl.evaluation.uncertainty import UncertaintyScore
from metassl.imaging.geometry import Geometry
from metassl.imaging.images import CaseImage
from metassl.inference import error_features, error_model
from metassl.inference.error_features import feature_count, feature_slabs, smooth, voxel_features
from metassl.inference.error_model import checked_error_model, fit_error_model, take_sample
from metassl.inference.model import TrainedModel
from metassl.inference.predictor import predict_image
from metassl.networks.unet import build_network
from tiny_plan import tiny_plan as make_plan

CPU = torch.device("cpu")
MOST = 3000


@pytest.fixture(autouse=True)
def short_training(monkeypatch):
    monkeypatch.setattr(error_model, "ITERATIONS", 150)


def biased_case(seed: int, size: int = 22):
    """(pair, image, truth) of a ball that the model draws two voxels too small, and as sure as elsewhere."""
    random = np.random.default_rng(seed)
    centre = np.array([size / 2] * 3) + random.normal(0, 1, 3)
    grid = np.stack(np.meshgrid(*[np.arange(size)] * 3, indexing="ij"))
    distance = np.sqrt(((grid - centre[:, None, None, None]) ** 2).sum(0))
    truth = (distance < 8).astype(np.uint8)
    image = (truth + random.normal(0, 0.1, truth.shape)).astype(np.float16)[None]
    pair = []
    for _ in range(2):
        logit = 1.5 * (6 - distance) + random.normal(0, 0.7, truth.shape)
        inside = 1 / (1 + np.exp(-logit))
        pair.append(np.stack([1 - inside, inside]))
    return np.stack(pair).astype(np.float16), image, truth


def samples(count: int, most: int = MOST):
    return [take_sample(*biased_case(seed), [0, 1], make_plan(), seed, most) for seed in range(count)]


@pytest.fixture
def plan(tiny_plan):
    return replace(tiny_plan(), classes=2)


def test_slabs_give_the_features_of_the_whole_volume(monkeypatch):
    pair, image, _ = biased_case(0, 40)
    whole = voxel_features(pair, image)
    assert whole.shape == (feature_count(2, 1), 40, 40, 40)
    monkeypatch.setattr(error_features, "BOX_VOXELS", 3 * 30 * 20)
    parts = list(feature_slabs(pair, image, (slice(4, 39), slice(5, 35), slice(0, 20))))
    assert len(parts) == 12
    for part, features in parts:
        assert torch.allclose(features, whole[(slice(None), *part)], atol=1e-5)


def test_smoothing_keeps_a_constant_and_spreads_a_point():
    point = torch.zeros(1, 9, 9, 1)
    point[0, 4, 4, 0] = 1
    found = smooth(point, 1.0)
    assert found.sum() == pytest.approx(1, abs=1e-3) and found[0, 4, 3, 0] == pytest.approx(found[0, 3, 4, 0])
    assert torch.allclose(smooth(torch.full((1, 1, 5, 7), 2.5), 2.0), torch.tensor(2.5))


def test_it_finds_the_errors_of_new_cases_that_the_entropy_does_not_see():
    model = fit_error_model(samples(3), 2, 1)
    pair, image, truth = biased_case(9)
    wrong = pair.astype(np.float32).mean(0).argmax(0) != truth
    probability = model.probability(pair, image)
    score = UncertaintyScore()
    score.add(probability, wrong, np.ones(wrong.shape, bool))
    assert score.auroc > 0.97 and score.ece < 0.05
    again = fit_error_model(samples(3), 2, 1)
    assert np.array_equal(again.probability(pair, image), probability)


def test_it_is_kept_only_where_it_beats_the_entropy_on_cases_left_out(plan):
    assert checked_error_model(samples(2), plan) == (None, None, [])
    model, figures, _ = checked_error_model(samples(3), plan)
    assert model is not None and figures["kept"] and figures["cases"] == 3
    assert figures["error_probability"]["auroc"] > figures["uncertainty"]["auroc"] + 0.01
    shuffled = []
    for seed, each in enumerate(samples(3)):
        order = torch.randperm(len(each.wrong), generator=torch.Generator().manual_seed(seed))
        shuffled.append(replace(each, wrong=each.wrong[order]))
    model, figures, _ = checked_error_model(shuffled, plan)
    assert model is None and not figures["kept"]


def test_the_dice_to_expect_of_a_case_comes_from_a_model_that_was_not_fitted_on_it(plan):
    four = samples(4)
    _, _, expected = checked_error_model(four, plan)
    without_second = fit_error_model([four[0], *four[2:]], 2, 1)
    assert expected[1] == without_second.expected_dice(four[1])
    without_fold = fit_error_model(four[1:3], 2, 1)
    assert [expected[0], expected[3]] == [without_fold.expected_dice(four[0]), without_fold.expected_dice(four[3])]
    assert expected[1] != fit_error_model(four, 2, 1).expected_dice(four[1])


def test_a_sample_is_bounded_and_not_annotated_voxels_are_not_in_it():
    pair, image, truth = biased_case(0)
    sample = take_sample(pair, image, truth, [0, 1], make_plan(), 0, 500)
    assert len(sample.wrong) <= 625 and sample.in_band.sum() == 500
    truth[:] = 255
    pair[:, 0], pair[:, 1] = 1, 0
    assert take_sample(pair, image, truth, [0, 1], make_plan(), 0, 500) is None


def test_the_model_file_keeps_it_and_predictions_have_its_map(tmp_path, plan):
    torch.manual_seed(0)
    networks = (build_network(plan).eval(), build_network(plan).eval())
    learnt = fit_error_model(samples(1, 500), 2, 1)
    TrainedModel(networks, plan, torch.full((2, 2), 0.5), [0, 3], "cps", 1, CPU, learnt).save(tmp_path / "model.pt")
    model = TrainedModel.load(tmp_path / "model.pt", CPU)
    pair, image, _ = biased_case(5)
    assert np.array_equal(model.error_model.probability(pair, image), learnt.probability(pair, image))
    geometry = Geometry((22, 22, 22), (1.5, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
    prediction = predict_image(model, CaseImage(image.astype(np.float32), geometry), "a")
    assert prediction.error_probability.shape == (22, 22, 22)
    assert 0 <= prediction.error_probability.min() and prediction.error_probability.max() <= 1
    assert predict_image(replace(model, error_model=None), CaseImage(image, geometry), "a").error_probability is None
