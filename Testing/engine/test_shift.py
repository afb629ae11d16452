"""The other scanner of `metassl adapt`."""

from __future__ import annotations

import numpy as np
import pytest
from metassl.imaging import Geometry
from metassl_research.peers.shift import NOISE, SPACING_XYZ, shifted

GRID = Geometry((30, 40, 24), (1.0, 1.0, 1.0), (5.0, -3.0, 2.0), (0.0, -1.0, 0, 1.0, 0, 0, 0, 0, 1.0))


@pytest.fixture
def sample():
    """A ball of 700 in a body of 300 on 0; its label."""
    z, y, x = np.meshgrid(*(np.arange(n) - n / 2 + 0.5 for n in GRID.shape_zyx), indexing="ij")
    distance = np.sqrt(z**2 + y**2 + x**2)
    image = np.where(distance < 6, 700.0, np.where(distance < 11, 300.0, 0.0)).astype(np.float32)
    return image[None], (distance < 6).astype(np.uint8), GRID


def test_a_case_is_changed_the_same_way_each_time_and_every_case_in_its_own(sample):
    first, again = shifted("a", sample), shifted("a", sample)
    assert all(np.array_equal(one, other) for one, other in zip(first[:2], again[:2], strict=True))
    assert not np.array_equal(first[0], shifted("b", sample)[0])
    assert not np.array_equal(first[0], shifted("a", sample, seed=1)[0])


def test_the_box_stays_where_it_is_in_other_voxels(sample):
    image, label, grid = shifted("a", sample)
    assert image.shape == (1, *grid.shape_zyx) and label.shape == grid.shape_zyx
    assert grid.spacing_xyz == pytest.approx(SPACING_XYZ, rel=0.05)
    corners = [
        np.reshape(each.direction, (3, 3)) @ (np.multiply(each.spacing_xyz, edge)) + each.origin_xyz
        for each in (GRID, grid)
        for edge in (np.full(3, -0.5), np.subtract(each.size_xyz, 0.5))
    ]
    assert corners[0] == pytest.approx(corners[2]) and corners[1] == pytest.approx(corners[3])
    assert label.sum() * np.prod(grid.spacing_xyz) == pytest.approx(sample[1].sum(), rel=0.1)
    assert set(np.unique(label)) == {0, 1}


def test_dark_becomes_darker_the_range_stays_and_what_was_flat_has_noise_and_a_shading(sample):
    before, (image, label, _) = sample[0][0], shifted("a", sample)
    middle = image[0][image[0] > 60]
    assert 90 < np.median(middle[middle < 300]) < 250, "300 of 700 to a power of 1.6 to 2 is 154 to 181, shaded"
    ball = image[0][label == 1]
    assert 700 * np.exp(-0.35) < ball.mean() < 700 * np.exp(0.35)
    air = image[0][:2]
    assert 0.2 * NOISE * 700 < air.std() < 1.2 * NOISE * 700 and abs(air.mean()) < 20
    assert before.max() == 700, "the image itself is left alone"


def test_a_label_that_is_in_no_voxel_of_the_image_makes_none(sample):
    image, label, grid = sample
    assert not shifted("a", (image, np.zeros_like(label), grid))[1].any()
