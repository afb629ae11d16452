"""How thick structures are, for how coarse a grid may be."""

import numpy as np
import pytest
from metassl.data.thickness import thickness_mm, thinnest_mm
from metassl.imaging.images import IGNORE


def test_a_tube_is_as_thick_as_wide_and_a_ball_about_as_its_radius():
    z, y, x = np.ogrid[:60, :60, :60]
    labels = np.zeros((60, 60, 60), np.uint8)
    labels[((y - 15) ** 2 + (x - 15) ** 2 < 5**2) & (z > 2) & (z < 57)] = 1
    labels[(z - 35) ** 2 + (y - 40) ** 2 + (x - 40) ** 2 < 15**2] = 2
    found = thickness_mm(labels, (2, 2, 2))
    assert found[1] == pytest.approx(20 * np.pi / 4, rel=0.15) and found[2] == pytest.approx(0.9 * 30, rel=0.1)


def test_what_is_not_annotated_is_no_surface():
    labels = np.full((20, 20, 20), IGNORE, np.uint8)
    labels[8:12] = 0
    labels[8:12, 5:15, 5:15] = 1
    assert thickness_mm(labels, (1, 1, 1)) == {1: 10.0}
    assert thickness_mm(np.full((4, 4, 4), IGNORE, np.uint8), (1, 1, 1)) == {}


def test_the_thinnest_of_several_cases_is_that_of_a_structure_not_of_an_odd_case():
    assert thinnest_mm([{1: 30.0, 2: 8.0}, {1: 1.0, 2: 9.0}, {1: 31.0}]) == 8.5
    assert thinnest_mm([{}, {}]) is None
