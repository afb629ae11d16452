"""How deep an error is, in millimetres."""

from __future__ import annotations

import math

import numpy as np
import pytest
from metassl.project.effort.depth import error_depth_mm

SPACING = (2.5, 1.25, 1.0)


def block(**parts: slice) -> np.ndarray:
    found = np.zeros((10, 14, 12), np.uint8)
    found[parts.get("z", slice(2, 8)), parts.get("y", slice(2, 10)), parts.get("x", slice(2, 9))] = 1
    return found


def test_a_boundary_that_is_off_is_as_deep_as_it_is_off_in_millimetres_both_ways():
    wide, narrow = block(x=slice(2, 9)), block(x=slice(2, 6))
    assert error_depth_mm(wide, narrow, SPACING, [1]) == pytest.approx(3.0)
    assert error_depth_mm(narrow, wide, SPACING, [1]) == pytest.approx(3.0)
    assert error_depth_mm(block(), block(z=slice(2, 9)), SPACING, [1]) == pytest.approx(2.5), "one slice"
    assert error_depth_mm(block(), block(), SPACING, [1]) == 0.0


def test_a_ragged_boundary_is_as_shallow_as_one_voxel_however_many_voxels_are_wrong():
    ragged = block()
    ragged[2:8, 2:10:2, 9] = 1
    assert np.count_nonzero(ragged != block()) == 24
    assert error_depth_mm(ragged, block(), SPACING, [1]) == pytest.approx(1.0)


def test_a_thin_structure_that_was_missed_and_a_stray_voxel_are_deep():
    vessel = block()
    vessel[5, 5, 9:12] = 1
    assert error_depth_mm(block(), vessel, SPACING, [1]) == pytest.approx(3.0)
    stray = block()
    stray[5, 13, 5] = 1
    assert error_depth_mm(stray, block(), SPACING, [1]) == pytest.approx(4 * 1.25)


def test_a_hole_is_as_deep_as_its_middle():
    holed = block()
    holed[4:7, 4:7, 4:7] = 0
    assert error_depth_mm(holed, block(), SPACING, [1]) == pytest.approx(2.0), "along x, to the nearer side"


def test_a_structure_that_is_only_in_one_of_them_and_one_taken_for_another_are_found():
    assert error_depth_mm(np.zeros_like(block()), block(), SPACING, [1]) == math.inf
    assert error_depth_mm(block(), np.zeros_like(block()), SPACING, [1]) == math.inf
    other = np.where(block() == 1, np.uint8(2), np.uint8(0))
    assert error_depth_mm(other, block(), SPACING, [1, 2]) == math.inf


def test_what_is_not_annotated_counts_nowhere():
    label = block()
    label[:, :, 6:] = 255
    assert error_depth_mm(block(x=slice(2, 12)), label, SPACING, [1]) == 0.0
    assert error_depth_mm(block(y=slice(2, 13)), label, SPACING, [1]) == pytest.approx(3 * 1.25)
    assert error_depth_mm(block(), np.full_like(label, 255), SPACING, [1]) == 0.0
    with pytest.raises(ValueError, match="not one grid"):
        error_depth_mm(block(), block()[1:], SPACING, [1])
