"""The spot where a reviewer should look first."""

import numpy as np
import pytest
from MetaSSLSlicerLib.Grid import boundingBox
from MetaSSLSlicerLib.Pictures.DoubtfulSpot import findDoubtfulSpot
from MetaSSLSlicerLib.RegionColors import DC, DS, REGIONS, UC, US

SHAPE = (20, 30, 40)
SPACING = (1.0, 1.0, 2.0)


def ball(center_zyx, radius):
    z, y, x = np.indices(SHAPE)
    cz, cy, cx = center_zyx
    return (2.0 * (z - cz)) ** 2 + (y - cy) ** 2 + (x - cx) ** 2 <= radius**2


def maps():
    return np.full(SHAPE, UC.value, np.uint8), np.zeros(SHAPE, np.uint8)


def test_the_larger_of_two_discrepancies_wins_and_its_middle_is_the_spot():
    regions, segmentation = maps()
    regions[ball((6, 8, 8), 4)] = DC.value
    regions[ball((11, 18, 28), 8)] = DS.value
    spot = findDoubtfulSpot(regions, segmentation, SPACING)
    assert spot.kind == "DC/DS"
    assert np.abs(np.subtract(spot.indexXyz, (28, 18, 11))).max() <= 1
    assert spot.voxels == int((regions >= DC.value).sum())


def test_a_discrepancy_comes_before_a_larger_unsure_region():
    regions, segmentation = maps()
    segmentation[ball((10, 15, 20), 9)] = 1
    regions[ball((10, 15, 20), 9)] = US.value
    regions[4, 5, 6] = DS.value
    assert findDoubtfulSpot(regions, segmentation, SPACING).indexXyz == (6, 5, 4)


def test_the_thickest_place_of_a_thin_shell_is_the_spot():
    regions, segmentation = maps()
    shell = ball((10, 15, 20), 9) & ~ball((10, 15, 20), 8)
    regions[shell] = DS.value
    regions[8:13, 14:17, 26:30] = DC.value
    spot = findDoubtfulSpot(regions, segmentation, SPACING)
    assert 25 <= spot.indexXyz[0] <= 30 and regions[spot.indexXyz[::-1]] >= DC.value


def test_unsure_voxels_far_from_the_structures_do_not_count():
    regions, segmentation = maps()
    segmentation[ball((10, 15, 30), 5)] = 1
    regions[:, :, :15] = US.value
    regions[10, 15, 36] = US.value
    spot = findDoubtfulSpot(regions, segmentation, SPACING)
    assert spot.kind == "US" and spot.indexXyz == (36, 15, 10)


@pytest.mark.parametrize("found", [True, False])
def test_without_doubt_the_structures_or_the_middle_are_shown(found):
    regions, segmentation = maps()
    if found:
        segmentation[ball((7, 10, 12), 6)] = 2
    spot = findDoubtfulSpot(regions, segmentation, SPACING)
    assert spot.kind == ("structure" if found else "middle")
    assert np.abs(np.subtract(spot.indexXyz, (12, 10, 7) if found else (20, 15, 10))).max() <= 1


def test_a_single_slice_has_a_spot_too():
    regions, segmentation = maps()
    regions[10, 12:15, 20:24] = DC.value
    spot = findDoubtfulSpot(regions[10:11], segmentation[10:11], SPACING)
    assert spot.indexXyz[2] == 0 and regions[10, spot.indexXyz[1], spot.indexXyz[0]] == DC.value


def test_a_bounding_box_holds_the_mask_and_stays_inside_the_image():
    mask = np.zeros(SHAPE, bool)
    mask[0:3, 10, 38] = True
    assert boundingBox(mask) == (slice(0, 3), slice(10, 11), slice(38, 39))
    assert boundingBox(mask, margin=2) == (slice(0, 5), slice(8, 13), slice(36, 40))
    assert boundingBox(~mask & mask) is None


def test_the_region_values_and_colours_are_those_of_the_project():
    from metassl.project.labels import REGION_COLORS

    assert [region.value for region in REGIONS] == [1, 2, 3, 4]
    assert tuple(region.color for region in REGIONS) == REGION_COLORS
