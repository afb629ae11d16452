"""Intensities on a common scale, and images on the plan's grid."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from metassl.data.cache import PreprocessCache
from metassl.data.plan import Plan
from metassl.data.preprocess import PreparedImages, labels_to_grid, prepare_image, to_grid
from metassl.files.errors import ImageError
from metassl.imaging.geometry import Geometry
from metassl.imaging.images import CaseImage
from metassl.imaging.writer import write_array

ZSCORE = {"scheme": "robust_zscore"}
WINDOW = {"scheme": "ct_window", "low": -100.0, "high": 300.0, "mean": 50.0, "std": 80.0}


def plan(*schemes, spacing=(1.0, 1.0, 1.0)):
    schemes = schemes or (ZSCORE,)
    return Plan(
        axes="patient",
        spacing_zyx=spacing,
        source_spacing_zyx=spacing,
        patch_zyx=(16, 16, 16),
        batch=(2, 2),
        intensity=schemes,
        filters=(4, 8, 16),
        kernels=((3, 3, 3),) * 3,
        strides=((1, 1, 1), (2, 2, 2), (2, 2, 2)),
        in_channels=len(schemes),
        classes=3,
        precision="fp32",
    )


def image(*channels, spacing_xyz=(1.0, 1.0, 1.0)):
    array = np.stack([np.asarray(channel, np.float32) for channel in channels])
    size = array.shape[:0:-1]
    straight = (1.0, 0, 0, 0, 1, 0, 0, 0, 1)
    return CaseImage(array, Geometry(size, spacing_xyz, (0.0, 0.0, 0.0), straight))


def tissue(seed=0, shape=(20, 24, 22)):
    """Two tissues with noise, between 0 and about 1."""
    rng = np.random.default_rng(seed)
    volume = rng.normal(0.4, 0.05, shape)
    volume[5:15, 6:18, 5:17] = rng.normal(0.7, 0.05, (10, 12, 12))
    return np.clip(volume, 0.01, 1)


@pytest.mark.parametrize("scale", [139, 255, 4095, 1.7e6])
@pytest.mark.parametrize("offset", [0, -1024, 1e5])
def test_the_scanners_scale_does_not_matter(scale, offset):
    expected = to_grid(image(tissue()), plan()).array
    found = to_grid(image(tissue() * scale + offset), plan()).array
    assert found.dtype == np.float16
    assert np.allclose(found, expected, atol=0.05 if offset == 1e5 and scale < 5000 else 0.005)
    assert abs(float(found.astype(np.float32).mean())) < 0.3
    assert 0.5 < float(found.astype(np.float32).std()) < 2


def test_whole_numbers_of_eight_bits_are_as_good_as_floats():
    eight_bit = np.rint(tissue() * 255).astype(np.uint8)
    found = to_grid(image(eight_bit), plan()).array
    assert np.allclose(found, to_grid(image(tissue()), plan()).array, atol=0.03)


def test_more_air_round_the_patient_does_not_shift_the_tissue():
    cropped = to_grid(image(tissue()), plan()).array[0].astype(np.float64)
    padded = np.random.default_rng(9).uniform(0, 0.02, (40, 48, 44))
    padded[10:30, 12:36, 11:33] = tissue()
    inside = to_grid(image(padded), plan()).array[0, 10:30, 12:36, 11:33]
    shift = inside - cropped
    assert abs(shift.mean()) < 0.1 and shift.std() < 0.05  # a plain z-score shifts it by 2.6


def test_a_few_extreme_voxels_change_nothing():
    spoilt = tissue() * 100
    spoilt.flat[::997] = 1e7
    found = to_grid(image(spoilt), plan()).array
    clean = to_grid(image(tissue() * 100), plan()).array
    others = np.ones(found.size, bool)
    others[::997] = False
    assert np.allclose(found.flat[others], clean.flat[others], atol=0.1)
    assert np.abs(found).max() <= 20


def nearly_constant():
    rng = np.random.default_rng(6)
    flat = np.full((16, 16, 16), 100.0)
    spots, noise = flat.copy(), flat + rng.normal(0, 1e-3, flat.shape)
    spots[3, 4, 5:8] = 101
    lonely = flat.copy()
    lonely[0, 0, 0] = 1e6
    box = np.zeros_like(flat)
    box[4:6, 4:6, 4:6] = 7
    return {"spots": spots, "noise": noise, "one voxel": lonely, "box": box}


@pytest.mark.parametrize("name", nearly_constant())
def test_a_nearly_constant_image_does_not_blow_up(name):
    found = to_grid(image(nearly_constant()[name]), plan()).array
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= 20
    assert found.max() > found.min()


def test_a_constant_channel_becomes_zero():
    found = to_grid(image(tissue(), np.full((20, 24, 22), 5.0)), plan(ZSCORE, ZSCORE)).array
    assert (found[1] == 0).all() and found[0].std() > 0.5


def test_ct_is_windowed_alike_in_every_case():
    values = np.linspace(-1000, 2000, 4000).reshape(10, 20, 20)
    found = to_grid(image(values), plan(WINDOW)).array[0]
    expected = (np.clip(values, -100, 300) - 50) / 80
    assert np.allclose(found, expected, atol=2e-3)


def test_channels_are_scaled_one_by_one_and_stay_in_order():
    two = to_grid(image(tissue(1), tissue(2) * 1000 - 500), plan(ZSCORE, WINDOW)).array
    assert np.array_equal(two[0], to_grid(image(tissue(1)), plan()).array[0])
    assert np.array_equal(two[1], to_grid(image(tissue(2) * 1000 - 500), plan(WINDOW)).array[0])


def test_the_image_itself_is_not_changed():
    original = image(tissue(), spacing_xyz=(1.2, 0.8, 2))
    copy = original.array.copy()
    to_grid(original, plan())
    assert np.array_equal(original.array, copy)


def test_image_and_labels_lie_on_one_grid():
    spacing = (0.7, 1.3, 2.1)
    labels = (tissue() > 0.55).astype(np.uint8)
    case = image(tissue(), spacing_xyz=spacing)
    prepared = to_grid(case, plan())
    on_grid = labels_to_grid(labels, case.geometry, plan())
    assert on_grid.shape == prepared.array.shape[1:] == prepared.transform.shape_zyx
    inside = prepared.array[0][on_grid == 1].astype(np.float32).mean()
    outside = prepared.array[0][on_grid == 0].astype(np.float32).mean()
    assert inside > outside + 1


@pytest.mark.parametrize("shape", [(1, 20, 24), (3, 5, 4), (40, 60, 50), (2, 90, 3)])
def test_cases_far_smaller_or_larger_than_the_patch_come_back_on_their_own_grid(shape):
    case = image(np.random.default_rng(7).normal(size=shape), spacing_xyz=(1.5, 0.9, 1.2))
    prepared = to_grid(case, plan())
    restored = prepared.transform.restore(np.ones((2, *prepared.array.shape[1:]), np.float32))
    assert restored.shape == (2, *shape)
    assert np.allclose(restored, 1, atol=1e-6)


def test_another_number_of_channels_names_the_case():
    with pytest.raises(ImageError, match=r"case P3: the image has 1 channel\(s\) but .* with 2"):
        to_grid(image(tissue()), plan(ZSCORE, ZSCORE), case="P3")


def test_the_cache_key_part_follows_what_changes_the_result_and_nothing_else():
    base = plan()
    assert replace(base, patch_zyx=(32, 32, 32), batch=(1, 1), precision="bf16").preprocessing() == (
        base.preprocessing()
    )
    assert replace(base, spacing_zyx=(1.0, 1.0, 2.0)).preprocessing() != base.preprocessing()
    assert replace(base, intensity=(WINDOW,)).preprocessing() != base.preprocessing()


def test_an_image_of_the_cache_is_the_one_of_its_file_and_so_is_its_grid(tmp_path):
    turned = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)
    grid = Geometry((22, 24, 20), (0.7, 1.1, 1.0 / 3), (-12.5, 7.123456789, 31.0), turned)
    path = tmp_path / "oblique.nrrd"
    write_array(path, (tissue() * 1000).astype(np.int16), grid)
    expected = prepare_image([path], plan(), "a")
    images = PreparedImages(PreprocessCache(tmp_path / "cache", 1 << 30))
    made, again = images.get([path], plan(), "a"), images.get([path], plan(), "a")
    for found in (made, again):
        assert isinstance(found.array, np.memmap) and np.array_equal(found.array, expected.array)
        assert found.transform == expected.transform
    del made, again, found
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "cache").touch()
    assert np.array_equal(images.get([path], plan(), "a").array, expected.array), "it goes on without"
