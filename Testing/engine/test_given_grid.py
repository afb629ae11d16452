"""The grid of a model from elsewhere: what nnU-Net does to an image on its way in, and to probabilities on theirs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from metassl.data.cache import PreprocessCache
from metassl.data.given_grid import GivenGrid, brought_to_given_grid, normalised
from metassl.data.plan import Plan
from metassl.data.preprocess import PreparedImages, prepare_image
from metassl.data.spline import along, axis_matrix
from metassl.imaging import Geometry, write_array
from metassl.imaging.images import CaseImage
from metassl.inference.elsewhere.sources import nnunet_model
from metassl.inference.elsewhere.windows import gaussian, predict_given, steps
from nnunet_folder import nnunet_folder

OBLIQUE = (0.0, 0.0, 1.0, 0.6, 0.8, 0.0, -0.8, 0.6, 0.0)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return nnunet_model(nnunet_folder(tmp_path_factory.mktemp("nnunet") / "model"), torch.device("cpu"))


def planned(plan: Plan, spacing=None, **given) -> Plan:
    return replace(plan, spacing_zyx=spacing or plan.spacing_zyx, given=replace(plan.given, **given))


def framed(shape=(14, 20, 18), spacing=(1.0, 1.3, 0.9), margin=3) -> CaseImage:
    """An image of zeros with something in it, on an oblique grid; spacing is x, y, z."""
    array = np.zeros((1, *shape), np.float32)
    inner = tuple(slice(margin, -margin) for _ in range(3))
    values = np.random.default_rng(0).normal(100, 10, array[0][inner].shape)
    array[(0, *inner)] = values.astype(np.float32)
    return CaseImage(array, Geometry(tuple(reversed(shape)), spacing, (5.0, -3.0, 2.0), OBLIQUE))


def test_splines_are_those_of_scipys_zoom():
    line = torch.tensor([0.0, 1, 4, 2, 7, -3])
    finer = [0.00736, 0.08931, 1.61496, 3.94971, 2.50288, 2.79603, 7.0, 2.57596, -3.0]  # clipped to 7 and -3, as there
    coarser = [-0.00342, 3.80062, 3.34916, -0.53588]
    cubic = [along(line, 0, axis_matrix(6, length, 3)).clamp(-3, 7) for length in (9, 4)]
    assert torch.allclose(cubic[0], torch.tensor(finer), atol=1e-5)
    assert torch.allclose(cubic[1], torch.tensor(coarser), atol=1e-5)
    assert along(line, 0, axis_matrix(6, 4, 1)).tolist() == pytest.approx([0.25, 3.25, 3.25, -0.5])
    assert along(line, 0, axis_matrix(6, 3, 0)).tolist() == [1, 2, -3]


def test_windows_and_their_weights_are_those_of_nnunet():
    assert [steps(length, window, 0.5) for length, window in ((110, 64), (64, 64), (41, 40), (300, 128))] == [
        [0, 23, 46],
        [0],
        [0, 1],
        [0, 57, 115, 172],
    ]
    middle = gaussian((4, 5, 6))[2, 2].tolist()
    assert middle == [0.0033550262451171875, 0.28564453125, 4.109375, 10.0, 4.109375, 0.28564453125]


def test_what_is_zero_all_round_is_cut_off_before_values_are_normalised_and_is_background_after(model):
    plan, image = planned(model.plan, (1.0, 1.0, 1.0)), framed()
    array, grid = brought_to_given_grid(image, plan, "case")
    assert grid.box == ((3, 11), (3, 17), (3, 15)) and array.dtype == np.float32
    assert array.shape[1:] == grid.shape_zyx == (7, 18, 12)
    assert abs(array.mean()) < 0.1, "the zeros took no part"
    probabilities = np.full((3, *grid.shape_zyx), 0.2, np.float32)
    probabilities[1] = 0.6
    restored = grid.restore(probabilities)
    assert restored.shape == (3, 14, 20, 18)
    inside = np.zeros((14, 20, 18), bool)
    inside[3:11, 3:17, 3:15] = True
    assert np.allclose(restored[:, inside], [[0.2], [0.6], [0.2]], atol=1e-6)
    assert np.array_equal(restored[:, ~inside], np.repeat([[1.0], [0.0], [0.0]], (~inside).sum(), 1))
    (rows, (chance,)) = next(grid.restore_slabs(np.full((1, *grid.shape_zyx), 0.5, np.float32)))
    assert rows == slice(0, 14) and set(np.unique(chance)) == {0.0, 0.5}, "one channel is no softmax"


@pytest.mark.parametrize("transpose", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
@pytest.mark.parametrize("canonical", [False, True])
def test_labels_go_to_the_grid_and_come_back_where_they_were(model, transpose, canonical):
    plan = planned(model.plan, (1.0, 1.0, 1.0), transpose=transpose, canonical=canonical)
    image = framed(spacing=(1.0, 1.0, 1.0))
    _array, grid = brought_to_given_grid(image, plan, "case")
    labels = np.zeros(image.geometry.shape_zyx, np.uint8)
    labels[4:8, 5:12, 6:9] = 2
    on_grid = grid.labels_to_grid(labels)
    assert sorted(on_grid.shape) == [8, 12, 14] and (on_grid == 2).sum() == (labels == 2).sum()
    softmax = np.eye(3, dtype=np.float32)[on_grid].transpose(3, 0, 1, 2)
    assert np.array_equal(grid.restore(softmax).argmax(0), labels)


def test_slices_that_are_thick_are_resampled_apart_and_not_mixed(model):
    plan = planned(model.plan, (2.0, 1.0, 1.0))
    image = framed((10, 16, 16), (0.8, 0.8, 4.0), margin=1)
    array, grid = brought_to_given_grid(image, plan, "case")
    assert array.shape[1:] == (16, 11, 11)
    assert np.array_equal(array[0, 0], array[0, 1]), "each slice twice"
    flat = planned(model.plan, (9.0, 1.0, 1.0), slicewise=True)
    assert GivenGrid.of(image.geometry, flat).shape_zyx == (10, 13, 13), "a 2-D model keeps the slices"
    assert grid.spacing_zyx == pytest.approx((2.0, 14 * 0.8 / 11, 14 * 0.8 / 11))


def test_intensities_are_normalised_as_their_names_say():
    values = np.array([[[0.0, 50, 100, 300]]], np.float32)
    mask = values > 0

    def by(scheme: str, **numbers: float) -> list[float]:
        return normalised(values.copy(), {"scheme": scheme, **numbers}, mask).ravel().tolist()

    assert by("as_stored") == [0, 50, 100, 300] and by("rescale_01") == pytest.approx([0, 1 / 6, 1 / 3, 1])
    assert by("ct_window", low=20, high=200, mean=100, std=40) == [-2, -1.25, 0, 2.5]
    assert by("zscore") == pytest.approx(((values - 112.5) / values.std()).ravel().tolist())
    of_some = by("zscore_nonzero")
    assert of_some[0] == 0 and np.mean(of_some[1:]) == pytest.approx(0, abs=1e-6)
    assert by("rgb_01")[-1] == pytest.approx(300 / 255)


def test_the_cache_gives_the_same_image_and_the_same_way_back(model, tmp_path):
    image = framed()
    write_array(tmp_path / "case.nrrd", image.array[0], image.geometry)
    paths = [Path(tmp_path / "case.nrrd")]
    cached = PreparedImages(PreprocessCache(tmp_path / "cache", 1 << 26))
    first, again, plain = (get(paths, model.plan, "case") for get in (cached.get, cached.get, prepare_image))
    assert np.array_equal(first.array, plain.array) and np.array_equal(again.array, plain.array)
    assert again.transform.box == plain.transform.box and again.array.dtype == np.float32


def test_every_mirrored_view_has_a_say_and_small_images_are_padded(model):
    image = np.random.default_rng(0).normal(size=(1, 5, 16, 16)).astype(np.float32)
    device = torch.device("cpu")
    found = predict_given(model.networks, image, model.plan, device, 0.5)
    assert found.shape == (2, 3, 5, 16, 16) and found.dtype == np.float32
    assert np.allclose(found.sum(1), 1, atol=1e-5)
    turned = predict_given(model.networks, image[:, :, ::-1].copy(), model.plan, device, 0.5)
    middle = (slice(None), slice(None), slice(1, 4), slice(5, 11), slice(5, 11))  # at the corners weights are near 0
    assert np.allclose(turned[:, :, :, ::-1][middle], found[middle], atol=5e-3)
    plain = planned(model.plan, mirror_axes=())
    alone = predict_given(model.networks, image, plain, device, 0.5)
    other = predict_given(model.networks, image[:, :, ::-1].copy(), plain, device, 0.5)
    assert not np.allclose(other[:, :, :, ::-1][middle], alone[middle], atol=5e-3)
