"""Padding and wild voxels never set the scale of an image; what is a body's own is never taken for them."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from metassl.data.intensity import Believable, believable, believed_of, robust_zscore, without_padded_faces
from metassl.imaging.images import read_image
from metassl.imaging.writer import write_image


def body(seed: int = 0, shape: tuple[int, int, int] = (24, 40, 40)) -> np.ndarray:
    """Air and two tissues, as in an MRI."""
    rng = np.random.default_rng(seed)
    array = np.abs(rng.normal(0, 3, shape))
    array[:, 8:32, 8:32] = rng.normal(100, 12, (shape[0], 24, 24))
    array[8:16, 14:24, 14:24] = rng.normal(180, 12, (8, 10, 10))
    return array.astype(np.float32)


def spoilt(array: np.ndarray, how: str) -> tuple[np.ndarray, np.ndarray]:
    """The array with bad voxels, and which these are."""
    rng, array = np.random.default_rng(1), array.copy()
    bad = np.zeros(array.shape, bool)
    if how == "padded":
        bad[:, :, : array.shape[2] // 10] = True
        array[bad] = -32767
    elif how == "padded lightly":
        bad[:, :, : array.shape[2] // 10] = True
        array[bad] = -100  # not far from a body, but no value of one where all others are positive
    elif how == "padded twice":
        bad[:, :, :2], bad[:, :2] = True, True
        array[:, :, :2], array[:, :2] = -32768, 32767
    elif how == "hot":
        bad = rng.random(array.shape) < 0.001
        array[bad] = 1e30
    else:
        bad = rng.random(array.shape) < 0.02
        array[bad] = rng.uniform(-32767, 32516, bad.sum())
    return array, bad


@pytest.mark.parametrize("how", ["padded", "padded lightly", "padded twice", "hot", "wild"])
def test_the_scale_of_a_spoilt_image_is_that_of_the_image(how):
    array, bad = spoilt(body(), how)
    found, true = robust_zscore(array), robust_zscore(body())
    assert believable(array).told
    assert found.scale == pytest.approx(true.scale, rel=0.1) and abs(found.centre - true.centre) < 0.1 * true.scale
    assert found.low > -10 and found.high < 260


@pytest.mark.parametrize(
    "array",
    [
        body(),
        np.where(body() < 20, 0, body()),  # a stripped skull
        np.rint(body()).astype(np.int16),
        np.full((4, 5, 6), 7.0, np.float32),
    ],
)
def test_an_ordinary_image_is_not_touched(array):
    assert believable(array) == Believable() and believable(array).told == ""


def test_a_bladder_in_a_pet_is_no_wild_voxel():
    array = np.random.default_rng(0).gamma(1.0, 0.2, (30, 40, 40)).astype(np.float32)
    array[12:16, 18:23, 18:23] = 80.0
    assert believable(array) == Believable()


def test_an_image_with_nan_tells_of_it(tmp_path):
    array = body()
    array[np.random.default_rng(1).random(array.shape) < 0.001] = np.nan
    write_image(tmp_path / "a.nrrd", sitk.GetImageFromArray(array))
    image = read_image([tmp_path / "a.nrrd"], "a")
    found, true = robust_zscore(image.array[0]), robust_zscore(body())
    assert found.scale == pytest.approx(true.scale, rel=0.02)
    (told,) = [each.told for each in believed_of(image)]
    assert told == "0.11 % of the voxels are NaN or infinite, and count as the lowest or highest value"


def test_padded_faces_look_like_the_true_edge_of_an_image():
    array = body()
    grown = np.pad(array, ((0, 0), (0, 0), (4, 3)), constant_values=-32767)
    filled = without_padded_faces(grown, believable(grown))
    assert np.array_equal(filled, np.pad(array, ((0, 0), (0, 0), (4, 3)), mode="edge"))
    assert grown[0, 0, 0] == -32767, "the image itself stays"
    assert without_padded_faces(array, believable(array)) is array
    corners = array.copy()
    corners[:, :8, :8] = corners[:, -8:, -8:] = -32767
    assert without_padded_faces(corners, believable(corners)) is corners, "each plane shows something"


def test_what_was_found_is_told_in_shares():
    told = believable(spoilt(body(), "padded")[0]).told
    assert told.startswith("10 % padding outside of") and told.endswith("count as the nearest value")
