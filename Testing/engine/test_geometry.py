"""The grid of an image: its sizes, and when two of them are the same."""

from __future__ import annotations

import numpy as np
import pytest
from metassl.imaging import Geometry, read_labels, write_array

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def test_a_geometry_gives_shapes_and_volumes_in_array_order(make_grid):
    grid = make_grid((3, 4, 5))
    assert grid.size_xyz == (5, 4, 3) and grid.shape_zyx == (3, 4, 5)
    assert grid.spacing_zyx == (2.5, 1.25, 1.0)
    assert grid.voxel_ml == pytest.approx(0.003125)


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        ({"size_xyz": (12, 14, 11)}, "size 12x14x10 against 12x14x11 voxels"),
        ({"spacing_xyz": (1.0, 1.25, 2.51)}, "spacing 1x1.25x2.5 against 1x1.25x2.51 mm"),
        ({"spacing_xyz": (1.0, 1.25, 2.5001)}, ""),
        ({"origin_xyz": (-12.5, 7.0, 31.01)}, "origin"),
        ({"origin_xyz": (-12.5, 7.0, 31.001)}, ""),
        ({"direction": IDENTITY}, "direction"),
        ({"direction": (0.8, -0.6, 1e-5, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)}, ""),
    ],
)
def test_geometries_differ_by_more_than_rounding_only(make_grid, change, phrase):
    grid = make_grid()
    found = grid.difference(Geometry(**{**grid.__dict__, **change}))
    assert found.startswith(phrase) and bool(found) == bool(phrase)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"origin_xyz": tuple(float(np.float32(n)) for n in (67.1234567, -43.7654321, 88.888111))}, True),
        ({"origin_xyz": (67.1234567 + 1e-4, -43.7654321, 88.888111)}, False),
        ({"spacing_xyz": (float(np.float32(0.001)),) * 3}, True),
        ({"spacing_xyz": (0.0010005, 0.001, 0.001)}, False),  # half a voxel over a thousand of them
        ({"direction": (1.0, 2e-4, 0.0, -2e-4, 1.0, 0.0, 0.0, 0.0, 1.0)}, True),
        ({"direction": (1.0, 1e-3, 0.0, -1e-3, 1.0, 0.0, 0.0, 0.0, 1.0)}, False),
    ],
)
def test_grids_are_the_same_up_to_what_file_formats_round_off(change, same):
    grid = Geometry((1000, 1000, 20), (0.001,) * 3, (67.1234567, -43.7654321, 88.888111), IDENTITY)
    other = Geometry(**{**grid.__dict__, **change})
    assert (grid.difference(other) == "") == (other.difference(grid) == "") == same


@pytest.mark.parametrize("shift", [3e-1, 2e-3, 1.6e-3])
def test_the_numbers_of_a_message_show_the_difference_that_it_is_about(shift):
    grid = Geometry((9, 9, 9), (1.5,) * 3, (-123.453, 77.123456, -901.23456), IDENTITY)
    for moved in (
        {"origin_xyz": (-123.453 + shift, 77.123456, -901.23456)},
        {"origin_xyz": (-123.453, 77.123456, -901.23456 + shift)},
        {"spacing_xyz": (1.5, 1.5, 1.5 + shift)},
        {"direction": (1.0, shift, 0.0, -shift, 1.0, 0.0, 0.0, 0.0, 1.0)},
    ):
        text = grid.difference(Geometry(**{**grid.__dict__, **moved}))
        mine, other = text.split(" against ")
        assert mine.split(" ", 1)[1] != other.split(" mm")[0], text


def test_an_annotation_survives_nifti_far_from_the_origin_at_a_thousandth_of_a_millimetre(tmp_path):
    grid = Geometry((8, 8, 8), (0.001,) * 3, (67.1234567, -43.7654321, 88.888111), IDENTITY)
    write_array(tmp_path / "a.nii.gz", np.ones((8, 8, 8), np.uint8), grid)
    assert read_labels(tmp_path / "a.nii.gz", "a")[1].difference(grid) == ""
