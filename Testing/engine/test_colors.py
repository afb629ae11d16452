"""The default colours of structures can be told from the flagged regions and from each other, by every reader."""

from __future__ import annotations

from itertools import combinations

import pytest
from color_distance import ciede2000, distance
from metassl.project.structures import DEFAULT_COLORS, REGION_COLORS

FLAGGED = dict(zip(("US", "DC", "DS"), REGION_COLORS[1:], strict=True))
EIGHT = DEFAULT_COLORS[:8]
LEAST = {"normal": 20.0, "protanopia": 10.0, "deuteranopia": 10.0}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [  # Sharma, Wu and Dalal (2005), table 1: pairs 1, 4, 7, 10, 14, 17, 20, 25 and 34
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, -1.3802, -84.2814), (50.0, 0.0, -82.7485), 1.0000),
        ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
        ((50.0, 2.4900, -0.0010), (50.0, -2.4900, 0.0010), 7.1792),
        ((50.0, -0.0010, 2.4900), (50.0, 0.0010, -2.4900), 4.8045),
        ((50.0, 2.5000, 0.0000), (73.0, 25.0, -18.0), 27.1492),
        ((50.0, 2.5000, 0.0000), (58.0, 24.0, 15.0), 19.4535),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_distance_is_that_of_the_published_pairs(first, second, expected):
    assert ciede2000(first, second) == pytest.approx(expected, abs=5e-5)
    assert ciede2000(second, first) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize("sight", LEAST)
def test_structures_are_far_from_the_flagged_regions(sight):
    near = {(color, name): distance(color, region, sight) for color in EIGHT for name, region in FLAGGED.items()}
    assert min(near.values()) >= LEAST[sight], min(near, key=near.get)


@pytest.mark.parametrize("sight", LEAST)
def test_structures_are_far_from_each_other(sight):
    near = {pair: distance(*pair, sight) for pair in combinations(EIGHT, 2)}
    assert min(near.values()) >= LEAST[sight], min(near, key=near.get)


def test_the_structures_after_the_eighth_are_not_those_of_a_region_either():
    for color in DEFAULT_COLORS:
        assert min(distance(color, region) for region in FLAGGED.values()) >= 18, color
