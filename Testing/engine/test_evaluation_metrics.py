"""Dice, HD95 and ASSD against cases worked out by hand, brute force, and MONAI."""

from __future__ import annotations

import math

import numpy as np
import pytest
from metassl.evaluation.metrics import case_metrics, surface_distances
from metassl.project import LabelDefinition

SPACING = (4.0, 2.0, 0.5)
ONE = [LabelDefinition(1, "One")]


def cube(shape=(12, 14, 16), start=(3, 3, 3), size=(4, 5, 6)) -> np.ndarray:
    mask = np.zeros(shape, np.uint8)
    mask[tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))] = 1
    return mask


def blob(seed: int, shape=(9, 20, 18)) -> np.ndarray:
    """A ragged shape: a noisy ball, with holes and loose voxels."""
    random = np.random.default_rng(seed)
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    centre = random.uniform(-0.2, 0.2, 3)
    radius = sum((axis - c) ** 2 for axis, c in zip(axes, centre, strict=True)) ** 0.5
    return radius + random.normal(0, 0.12, shape) < 0.6


def brute_force(a: np.ndarray, b: np.ndarray, spacing) -> tuple[float, float]:
    """HD95 and ASSD from all pairs of surface voxels."""

    def surface(mask):
        padded = np.pad(mask, 1)
        points = []
        for z, y, x in np.argwhere(mask):
            near = padded[z : z + 3, y + 1, x + 1].sum() + padded[z + 1, y : y + 3, x + 1].sum()
            if near + padded[z + 1, y + 1, x : x + 3].sum() < 9:
                points.append((z, y, x))
        return np.array(points) * spacing

    pairs = np.linalg.norm(surface(a)[:, None] - surface(b)[None], axis=2)
    to_b, to_a = pairs.min(1), pairs.min(0)
    hd95 = max(np.percentile(to_b, 95), np.percentile(to_a, 95))
    return hd95, np.concatenate([to_b, to_a]).mean()


def test_equal_masks_have_a_dice_of_one_and_no_distance():
    found = case_metrics(cube(), cube(), SPACING, ONE)["One"]
    assert found["dice"] == 1.0
    assert found["hd95_mm"] == 0.0
    assert found["assd_mm"] == 0.0
    assert found["predicted_ml"] == pytest.approx(4 * 5 * 6 * 4 * 2 * 0.5 / 1000)


def test_two_single_voxels_are_as_far_apart_as_their_centres():
    a, b = np.zeros((8, 8, 8), np.uint8), np.zeros((8, 8, 8), np.uint8)
    a[1, 2, 3] = 1
    b[4, 6, 5] = 1
    found = case_metrics(a, b, SPACING, ONE)["One"]
    apart = math.sqrt((3 * 4.0) ** 2 + (4 * 2.0) ** 2 + (2 * 0.5) ** 2)
    assert found["dice"] == 0.0
    assert found["hd95_mm"] == pytest.approx(apart, rel=1e-6)
    assert found["assd_mm"] == pytest.approx(apart, rel=1e-6)


def test_a_plate_moved_by_two_slices_is_two_slices_away():
    a = cube(shape=(10, 6, 6), start=(2, 0, 0), size=(1, 6, 6))
    b = cube(shape=(10, 6, 6), start=(4, 0, 0), size=(1, 6, 6))
    found = case_metrics(a, b, SPACING, ONE)["One"]
    assert found["dice"] == 0.0
    assert found["hd95_mm"] == pytest.approx(8.0)
    assert found["assd_mm"] == pytest.approx(8.0)


def test_a_cube_moved_along_one_axis_overlaps_and_differs_as_computed_by_hand():
    # A cube of 3 x 3 x 3 moved by one voxel of 2 mm along y: 18 of 27 voxels overlap. Of the 26
    # surface voxels of each, 9 lie 2 mm outside the other cube, one (the middle of the shared
    # inner face) is the other's centre, 2 mm from its surface across y and 0.5 mm along x.
    a = cube(start=(3, 3, 3), size=(3, 3, 3))
    b = cube(start=(3, 4, 3), size=(3, 3, 3))
    found = case_metrics(a, b, SPACING, ONE)["One"]
    assert found["dice"] == pytest.approx(18 / 27)
    assert found["hd95_mm"] == pytest.approx(2.0)
    assert found["assd_mm"] == pytest.approx((9 * 2.0 + 0.5) / 26, rel=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_ragged_shapes_agree_with_a_search_over_all_pairs(seed):
    a, b = blob(seed), blob(seed + 100)
    assert surface_distances(a, b, SPACING) == pytest.approx(brute_force(a, b, SPACING), rel=1e-5)


def test_a_structure_that_touches_the_image_border_ends_there():
    a = cube(shape=(6, 6, 6), start=(0, 0, 0), size=(6, 6, 6)).astype(bool)
    b = cube(shape=(6, 6, 6), start=(2, 2, 2), size=(2, 2, 2)).astype(bool)
    assert surface_distances(a, b, SPACING) == pytest.approx(brute_force(a, b, SPACING), rel=1e-6)


def test_a_single_slice_is_measured_as_a_flat_shape():
    a, b = np.zeros((1, 20, 20), np.uint8), np.zeros((1, 20, 20), np.uint8)
    a[0, 2:15, 2:15] = 1
    b[0, 4:13, 4:13] = 1
    found = case_metrics(a, b, (10.0, 1.0, 1.0), ONE)["One"]
    assert found["dice"] == pytest.approx(2 * 81 / (169 + 81))
    assert found["hd95_mm"] == pytest.approx(math.sqrt(8))  # more than 5 % lie at the corners
    edge = 4 * 9 * 2.0 + 4 * (math.sqrt(5) * 2 + math.sqrt(8))  # of the 48 outer edge voxels
    assert found["assd_mm"] == pytest.approx((edge + 32 * 2.0) / (48 + 32), rel=1e-6)


def test_missing_structures_have_no_distance_and_absent_ones_no_dice():
    empty = np.zeros((5, 5, 5), np.uint8)
    labels = [LabelDefinition(1, "One"), LabelDefinition(2, "Two")]
    found = case_metrics(empty, cube(shape=(5, 5, 5), start=(1, 1, 1), size=(2, 2, 2)), SPACING, labels)
    assert found["One"]["dice"] == 0.0
    assert math.isnan(found["One"]["hd95_mm"]) and math.isnan(found["One"]["assd_mm"])
    assert math.isnan(found["Two"]["dice"]) and math.isnan(found["Two"]["hd95_mm"])


def test_voxels_that_nobody_annotated_change_nothing():
    truth, prediction = cube(), cube()
    truth[:, :, 9:] = 255
    prediction[:, :, 10:15] = 1
    found = case_metrics(prediction, truth, SPACING, ONE)["One"]
    assert found["dice"] == 1.0
    assert found["hd95_mm"] == 0.0


def test_a_structure_cut_by_unannotated_voxels_has_no_surface_at_the_cut():
    truth = cube(shape=(5, 5, 30), start=(1, 1, 2), size=(3, 3, 25))
    prediction = cube(shape=(5, 5, 30), start=(1, 1, 4), size=(3, 3, 23))  # starts 1 mm later
    truth[:, :, 6:] = 255
    found = case_metrics(prediction, truth, SPACING, ONE)["One"]["assd_mm"]
    known = prediction.astype(bool) & (truth != 255)
    with_faces = surface_distances(known, truth == 1, SPACING)[1]
    # Left: end faces of 9 voxels 1 mm apart, sides that coincide. A face at the cut would add
    # another 9 voxels without distance on either side and make the mean too good.
    assert found > with_faces


def test_two_shapes_are_refused():
    with pytest.raises(ValueError, match="not one 3-D grid"):
        case_metrics(np.zeros((2, 3, 4), np.uint8), np.zeros((2, 3, 5), np.uint8), SPACING, ONE)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_figures_are_those_of_monai(seed):
    pytest.importorskip("scipy", reason="MONAI's metrics need scipy")
    torch = pytest.importorskip("torch")
    from monai.metrics import compute_dice, compute_hausdorff_distance
    from monai.metrics.surface_distance import compute_average_surface_distance

    a, b = blob(seed), blob(seed + 50)
    b[:, :3] = False
    ours = case_metrics(a.astype(np.uint8), b.astype(np.uint8), SPACING, ONE)["One"]
    pair = [torch.from_numpy(mask[None, None].astype(np.float32)) for mask in (a, b)]
    dice = compute_dice(*pair, include_background=True)
    hd95 = compute_hausdorff_distance(*pair, include_background=True, percentile=95, spacing=SPACING)
    assd = compute_average_surface_distance(*pair, include_background=True, symmetric=True, spacing=SPACING)
    assert ours["dice"] == pytest.approx(float(dice), rel=1e-5)
    assert ours["hd95_mm"] == pytest.approx(float(hd95), rel=1e-4)
    assert ours["assd_mm"] == pytest.approx(float(assd), rel=1e-4)
