"""Annotations that are made wrong on purpose: how far, which cases, and what stays."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from metassl_research.label_noise import KINDS, noisy_cases, wrong_annotation

EVEN = (1.0, 1.0, 1.0)


@pytest.fixture
def label() -> np.ndarray:
    """Two boxes side by side along y, 20 x 14 x 14 voxels together; the first slices are not annotated."""
    made = np.zeros((34, 34, 34), np.uint8)
    made[:3] = 255
    made[10:24, 7:17, 10:24] = 1
    made[10:24, 17:27, 10:24] = 2
    return made


def foreground(label: np.ndarray) -> np.ndarray:
    return (label > 0) & (label < 255)


def distance_mm(mask: np.ndarray, spacing_zyx=EVEN) -> np.ndarray:
    """To the nearest voxel of the mask, by ITK's other, brute-force-like filter."""
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing([float(step) for step in reversed(spacing_zyx)])
    return sitk.GetArrayFromImage(sitk.DanielssonDistanceMap(image, True, False, True))


def test_an_eroded_annotation_has_lost_its_outermost_two_voxels(label):
    wrong = wrong_annotation(label, EVEN, "eroded", 0)
    outside = distance_mm(~foreground(label))
    assert np.array_equal(foreground(wrong), foreground(label) & (outside > 2))
    assert np.array_equal(wrong[wrong > 0], label[wrong > 0])


def test_a_dilated_annotation_has_grown_by_two_voxels_each_of_the_nearest_structure(label):
    wrong = wrong_annotation(label, EVEN, "dilated", 0)
    assert np.array_equal(foreground(wrong), foreground(label) | (distance_mm(foreground(label)) <= 2))
    assert np.array_equal(wrong[label > 0], label[label > 0])
    assert wrong[15, 5, 15] == 1 and wrong[15, 28, 15] == 2


def test_a_shifted_annotation_is_the_same_two_voxels_away(label):
    wrong = wrong_annotation(label, EVEN, "shifted", 3)
    before, after = (np.argwhere(foreground(each)) for each in (label, wrong))
    assert len(before) == len(after)
    assert sorted(abs(after.mean(0) - before.mean(0)).round(6)) == [0, 0, 2]
    assert not np.array_equal(wrong, wrong_annotation(label, EVEN, "shifted", 4))


@pytest.mark.parametrize("kind", KINDS)
def test_noise_keeps_what_nobody_annotated_and_every_structure(label, kind):
    before = label.copy()
    wrong = wrong_annotation(label, EVEN, kind, 1)
    assert np.array_equal(label, before) and not np.array_equal(wrong, label)
    assert wrong.dtype == np.uint8 and np.array_equal(wrong == 255, label == 255)
    assert set(np.unique(wrong)) == {0, 1, 2, 255}
    assert np.array_equal(wrong, wrong_annotation(label, EVEN, kind, 1)), "the same seed, the same noise"


@pytest.mark.parametrize("kind", KINDS)
def test_thick_slices_stay_where_they_are(label, kind):
    wrong = wrong_annotation(label, (10.0, 1.5, 1.5), kind, 0)
    slices = [np.flatnonzero(foreground(each).any(axis=(1, 2))) for each in (label, wrong)]
    assert np.array_equal(*slices) and not np.array_equal(wrong, label)


def test_a_structure_that_two_voxels_would_erase_loses_less():
    thin = np.zeros((12, 12, 12), np.uint8)
    thin[4:7, 2:10, 2:10] = 1
    wrong = wrong_annotation(thin, EVEN, "eroded", 0)
    assert 0 < np.count_nonzero(wrong) < np.count_nonzero(thin)
    one = np.zeros((5, 5, 5), np.uint8)
    one[2, 2, 2] = 1
    assert np.array_equal(wrong_annotation(one, EVEN, "eroded", 0), one)


def test_so_many_cases_are_noisy_rounded_up_and_the_kinds_take_turns():
    names = [f"case_{number}" for number in range(10)]
    for count, share, expected in ((3, 0.3, 1), (8, 0.3, 3), (10, 0.3, 3), (10, 0.31, 4), (3, 1.0, 3)):
        chosen = noisy_cases(names[:count], share, 0)
        assert len(chosen) == expected and set(chosen) <= set(names[:count])
    assert list(noisy_cases(names, 0.6, 0).values()) == [*KINDS, *KINDS]
    assert [next(iter(noisy_cases(names[:3], 0.3, seed).values())) for seed in range(3)] == list(KINDS)
    assert noisy_cases(names, 0.3, 5) == noisy_cases(names, 0.3, 5)
