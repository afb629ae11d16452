"""Maps of 0..1 in one byte a voxel."""

from __future__ import annotations

import numpy as np
import pytest
from metassl.files.errors import ImageError
from metassl.imaging import write_array
from metassl.imaging.unit_maps import read_unit_map, write_unit_map


@pytest.fixture
def values() -> np.ndarray:
    made = np.random.default_rng(0).random((4, 20, 30), np.float32)
    made[0] *= 0.01
    made[1, 0, :2] = 0, 1
    return made


def test_what_is_written_is_read_to_two_digits(values, make_grid, tmp_path):
    grid = make_grid(values.shape)
    write_unit_map(tmp_path / "map.nrrd", values, grid)
    read, own = read_unit_map(tmp_path / "map.nrrd", "a")
    assert read.dtype == np.float32 and grid.difference(own) == ""
    assert np.abs(read - values).max() < 0.004 and np.abs(read - values)[0].max() < 0.0004
    assert (read[1, 0, 0], read[1, 0, 1]) == (0, 1)
    assert (tmp_path / "map.nrrd").stat().st_size < values.size + 600, "a byte a voxel, and the header"


def test_maps_of_former_versions_and_of_others_mean_what_they_say(values, make_grid, tmp_path):
    grid = make_grid(values.shape)
    write_array(tmp_path / "float.nrrd", values, grid)
    assert (read_unit_map(tmp_path / "float.nrrd", "a")[0] == values).all()
    write_array(tmp_path / "bytes.nrrd", np.ones(values.shape, np.uint8), grid)
    assert (read_unit_map(tmp_path / "bytes.nrrd", "a")[0] == 1).all()


@pytest.mark.parametrize("wrong", [-0.1, 1.1, np.nan])
def test_other_numbers_are_refused(values, make_grid, tmp_path, wrong):
    values[0, 0, 0] = wrong
    write_array(tmp_path / "wrong.nrrd", values, make_grid(values.shape))
    with pytest.raises(ImageError, match="case a.*outside 0..1"):
        read_unit_map(tmp_path / "wrong.nrrd", "a")
