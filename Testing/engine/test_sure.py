"""Where both networks are sure nothing is computed, and nothing is different."""

import numpy as np
import pytest
import torch
from metassl.data.grid import GridTransform
from metassl.data.orientation import AxisOrder
from metassl.imaging.geometry import Geometry
from metassl.inference import sure
from metassl.inference.predictor import to_image_grid
from metassl.inference.sure import DOUBT, restore_doubtful, sure_classes

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
THRESHOLDS = torch.full((2, 2, 3), 0.9)


def volumes(shape=(12, 14, 10)):
    """Softmaxes of two networks that agree but at the rim of a ball, float16, and P(error)."""
    z, y, x = np.ogrid[tuple(slice(n) for n in shape)]
    pair = []
    for shift in (0.0, 0.8):
        distance = np.sqrt((z - 6) ** 2 + (y - 7) ** 2 + (x - 5 - shift) ** 2) - 3
        inside = 1 / (1 + np.exp(8 * distance))
        pair.append(np.stack([1 - inside, 0.7 * inside, 0.3 * inside]).astype(np.float16))
        pair[-1][1:, :, 12:] = 0
        pair[-1][0, :, 12:] = 1
    return [*pair, np.minimum(pair[0][:1], pair[1][:1]) * 0.005]


def transform(order=(0, 1, 2), flips=(False, False, False), times=2.3, shape=(12, 14, 10)):
    axes = AxisOrder(order, flips)
    own = axes.back([round(n * times) for n in shape])
    return GridTransform(Geometry(own[::-1], (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), IDENTITY), axes, shape)


@pytest.mark.parametrize("most", [0.0, 1.0])
@pytest.mark.parametrize("turned", [{}, {"order": (2, 0, 1), "flips": (True, False, True)}, {"times": 1}])
def test_the_maps_are_those_of_all_voxels(turned, most, monkeypatch):
    *pair, (chance,) = volumes()
    chances = {"error_probability": chance + np.float16(0.002)}
    given = pair, transform(**turned), [0, 5, 7], THRESHOLDS, "symmetric", None, None, chances
    monkeypatch.setattr(sure, "SLAB_VOXELS", 2000)
    monkeypatch.setattr(sure, "AT_ONCE", 50)
    monkeypatch.setattr(sure, "MOST_DOUBTED", most)  # boxes, or places
    some = to_image_grid(*given)
    monkeypatch.setattr(sure, "SURE", 1.1)
    every = to_image_grid(*given)
    assert {*np.unique(every.regions)} == {1, 2, 3, 4} and {*np.unique(every.segmentation)} == {0, 5}
    for name in ("segmentation", "regions"):
        assert (getattr(some, name) == getattr(every, name)).mean() > 0.9999
    assert np.abs(some.uncertainty - every.uncertainty).max() < 0.012
    assert np.abs(some.mutual_information - every.mutual_information).max() < 0.012
    assert np.abs(some.error_probability - every.error_probability).max() <= 0.01
    assert some.error_probability.sum() == pytest.approx(every.error_probability.sum(), rel=0.02)
    assert (some.dice_features._counts - every.dice_features._counts).abs().max() <= 2
    assert (some.statistics._regions - every.statistics._regions).abs().max() <= 2


def test_only_what_lies_between_equal_neighbours_is_sure():
    found = sure_classes(volumes()[:2], THRESHOLDS)
    assert {*np.unique(found)} == {0, DOUBT} and (found[:, 12:] == 0).all()
    slabs = list(restore_doubtful(volumes()[:2], transform(), found))
    looked_at = sum(parts[0][0].numel() for _rows, _classes, _places, parts in slabs)
    assert 0 < looked_at < 0.4 * np.prod(transform().geometry.shape_zyx)


def test_a_threshold_above_the_rest_leaves_doubt():
    high = THRESHOLDS.clone()
    high[0, 0, 0] = 1.0
    assert (sure_classes(volumes()[:2], high) == DOUBT).all()


def test_an_axis_that_is_finer_on_the_grid_is_averaged_as_before():
    coarse = transform(times=0.5)
    (rows, classes, places, parts), *_ = restore_doubtful(
        volumes()[:2], coarse, sure_classes(volumes()[:2], THRESHOLDS)
    )
    assert classes is None and places is None and parts[0].shape[0] == 3
