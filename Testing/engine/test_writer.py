"""A file that could not be written to its last byte is an error, and the former one stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from file_limit import files_end_at
from metassl.files import ProjectError
from metassl.imaging import Geometry, write_array

pytest.importorskip("resource", reason="files are limited on Unix only")

SHAPE = (6, 9, 8)
GRID = Geometry(SHAPE[::-1], (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))


@pytest.mark.parametrize("suffix", [".nrrd", ".nii.gz", ".nii", ".mha"])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_a_file_that_lacks_its_end_never_takes_the_place_of_the_former_one(tmp_path: Path, suffix, kind):
    old, new = (np.random.default_rng(seed).integers(0, 3, SHAPE).astype(kind) for seed in (0, 1))
    path = tmp_path / f"a{suffix}"
    write_array(path, new, GRID)
    size = path.stat().st_size
    write_array(path, old, GRID)
    before = path.read_bytes()
    for room in {0, 1, 100, size // 2, *range(size - 12, size)}:
        with files_end_at(room), pytest.raises(ProjectError, match="cannot write"):
            write_array(path, new, GRID)
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]
    with files_end_at(size):
        write_array(path, new, GRID)
