"""From an image's own grid to the plan's and back."""

from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from metassl.data import resample
from metassl.data.grid import GridTransform
from metassl.data.orientation import axis_order
from metassl.files.errors import ImageError
from metassl.imaging.geometry import Geometry
from metassl.imaging.images import IGNORE

STRAIGHT = (1.0, 0, 0, 0, 1, 0, 0, 0, 1)
SIGNED_PERMUTATIONS = [(order, signs) for order in permutations(range(3)) for signs in product((1, -1), repeat=3)]


@dataclass
class Target:
    spacing_zyx: tuple
    axes: str = "patient"


def geometry(size_xyz, spacing_xyz=(1.0, 1, 1), direction=STRAIGHT, origin=(5.0, -7, 11)):
    return Geometry(tuple(size_xyz), tuple(map(float, spacing_xyz)), origin, tuple(direction))


def rotation(x=0.0, y=0.0, z=0.0):
    transform = sitk.Euler3DTransform()
    transform.SetRotation(*np.radians([x, y, z]))
    return transform.GetMatrix()


def turned(order, signs):
    """The direction matrix whose column i is the signed patient axis order[i]."""
    matrix = np.zeros((3, 3))
    for column, (axis, sign) in enumerate(zip(order, signs, strict=True)):
        matrix[axis, column] = sign
    return tuple(matrix.ravel())


def ellipsoid(own: Geometry, radii_mm=(11.0, 8, 9)):
    """A labelled ellipsoid (1) with a core (2), made from the physical position of every voxel."""
    index = np.indices(own.shape_zyx)[::-1].reshape(3, -1).astype(float)
    centre = (np.array(own.size_xyz) - 1) / 2 + 0.3
    offset = (index - centre[:, None]) * np.array(own.spacing_xyz)[:, None]
    radius = np.sqrt(((offset / np.array(radii_mm)[:, None]) ** 2).sum(0)).reshape(own.shape_zyx)
    return (radius < 1).astype(np.uint8) + (radius < 0.55).astype(np.uint8)


def one_voxel_more_or_less(mask):
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    more = sitk.BinaryDilate(image, [1] * 3, sitk.sitkBox)
    less = sitk.BinaryErode(image, [1] * 3, sitk.sitkBox)
    return sitk.GetArrayFromImage(more) > 0, sitk.GetArrayFromImage(less) > 0


def one_hot(labels, classes):
    return np.stack([labels == value for value in range(classes)]).astype(np.float32)


@pytest.mark.parametrize(("order", "signs"), SIGNED_PERMUTATIONS)
def test_on_an_equal_grid_nothing_changes_by_one_bit_whatever_the_axes(order, signs):
    rng = np.random.default_rng(1)
    own = geometry((5, 6, 7), (1, 2, 1.5), turned(order, signs))
    spacing = axis_order(own, "patient").reorder(own.spacing_zyx)
    transform = GridTransform.of(own, Target(spacing))
    image = rng.normal(size=own.shape_zyx).astype(np.float32)
    out = np.empty(transform.shape_zyx, np.float32)
    transform.to_grid(image, out)
    assert np.array_equal(transform.restore(out[None])[0], image)
    labels = rng.integers(0, 4, own.shape_zyx).astype(np.uint8)
    assert np.array_equal(transform.restore(one_hot(transform.labels_to_grid(labels), 4)).argmax(0), labels)


@pytest.mark.parametrize(("order", "signs"), SIGNED_PERMUTATIONS)
def test_the_same_anatomy_stored_in_any_order_looks_the_same_on_the_grid(order, signs):
    first = np.random.default_rng(2).normal(size=(7, 6, 5)).astype(np.float32)
    # (z, y, x) array axes of the second file, as patient axes
    axes = tuple(2 - axis for axis in order)[::-1]
    second = first.transpose(axes)
    for axis, sign in zip(range(3), reversed(signs), strict=True):
        second = np.flip(second, axis) if sign < 0 else second
    own = geometry(second.shape[::-1], direction=turned(order, signs))
    transform = GridTransform.of(own, Target((1.0, 1, 1)))
    out = np.empty(transform.shape_zyx, np.float32)
    transform.to_grid(second, out)
    assert np.array_equal(out, first)


@pytest.mark.parametrize(
    ("spacing", "target"),
    [((1, 1, 1), (1.0, 1, 1)), ((0.8, 1.1, 2.5), (1.0, 1, 1)), ((1.4, 1.4, 6), (6.0, 1.2, 1.2))],
    ids=["equal", "anisotropic", "stack"],
)
@pytest.mark.parametrize("angles", [(0, 0, 0), (20, -15, 35), (100, 10, -170)])
def test_objects_come_back_to_within_a_voxel(spacing, target, angles):
    own = geometry([int(30 / s) + 4 for s in spacing], spacing, rotation(*angles))
    transform = GridTransform.of(own, Target(target, "stack" if max(target) > 3 else "patient"))
    truth = ellipsoid(own)
    on_grid = transform.labels_to_grid(truth)
    restored = transform.restore(one_hot(on_grid, 3)).argmax(0)
    for value in (1, 2):
        more, less = one_voxel_more_or_less(truth >= value)
        found = restored >= value
        assert restored.shape == own.shape_zyx
        assert not (found & ~more).any()
        assert not (less & ~found).any()


def test_an_oblique_image_is_neither_cut_nor_rotated():
    own = geometry((20, 24, 12), (1, 1, 2), rotation(30, 20, 10))
    transform = GridTransform.of(own, Target((1.0, 1, 1)))
    assert transform.shape_zyx == (24, 24, 20)
    extent = np.multiply(transform.shape_zyx, transform.spacing_zyx)
    assert np.allclose(extent, np.multiply(own.shape_zyx, own.spacing_zyx))


@pytest.mark.parametrize("target", [0.5, 0.77, 1.6, 2.3])
def test_nothing_shifts_on_the_way_there_and_back(target):
    own = geometry((40, 36, 44))
    z, y, x = np.indices(own.shape_zyx)
    blob = np.exp(-((z - 21.3) ** 2 + (y - 15.8) ** 2 + (x - 19.1) ** 2) / (2 * 4.0**2))
    transform = GridTransform.of(own, Target((target,) * 3))
    out = np.empty(transform.shape_zyx, np.float32)
    transform.to_grid(blob.astype(np.float32), out)
    back = transform.restore(out[None])[0]
    for volume, shape in ((out, transform.shape_zyx), (back, own.shape_zyx)):
        axes = np.meshgrid(*[(np.arange(n) + 0.5) / n for n in shape], indexing="ij")
        centre = [float((volume * axis).sum() / volume.sum()) for axis in axes]
        expected = [(c + 0.5) / n for c, n in zip((21.3, 15.8, 19.1), own.shape_zyx, strict=True)]
        assert np.allclose(centre, expected, atol=0.05 / 40)


def test_every_axis_is_interpolated_alike():
    volume = np.random.default_rng(3).normal(size=(1, 9, 9, 9)).astype(np.float32)
    for size in (6, 14):
        straight = resample.linear_slab(volume, (size, 11, 7), 0, size)
        sideways = resample.linear_slab(volume.transpose(0, 3, 1, 2), (7, size, 11), 0, 7)
        assert np.allclose(straight.numpy(), sideways.numpy().transpose(0, 2, 3, 1), atol=1e-5)


def test_a_coarser_grid_averages_instead_of_picking_voxels():
    stripes = np.zeros((1, 8, 8, 64), np.float32)
    stripes[..., ::2] = 1
    coarse = resample.linear_slab(stripes, (8, 8, 16), 0, 8).numpy()
    assert np.allclose(coarse[..., 1:-1], 0.5, atol=0.02)


def test_slabs_are_small_and_together_make_the_whole(monkeypatch):
    rng = np.random.default_rng(4)
    own = geometry((30, 28, 40), (1, 1.2, 0.7), turned((2, 0, 1), (-1, 1, -1)))
    transform = GridTransform.of(own, Target((1.0, 0.9, 1.3)))
    first = rng.random((3, *transform.shape_zyx), dtype=np.float32)
    second = torch.from_numpy(rng.random((2, *transform.shape_zyx), dtype=np.float32))
    whole, whole_second = transform.restore(first), transform.restore(second)
    monkeypatch.setattr(resample, "SLAB_VOXELS", 20_000)
    covered = []
    for rows, (part, part_second) in transform.restore_slabs(first, second):
        assert part.numel() + part_second.numel() <= 20_000
        assert np.allclose(part.numpy(), whole[:, rows], atol=1e-6)
        assert torch.allclose(part_second, whole_second[:, rows], atol=1e-6)
        covered += range(rows.start, rows.stop)
    assert covered == list(range(own.shape_zyx[0]))
    assert isinstance(whole, np.ndarray) and isinstance(whole_second, torch.Tensor)


def test_labels_do_not_depend_on_how_the_volume_is_cut(monkeypatch):
    own = geometry((40, 40, 40), (1, 1, 0.8))
    transform = GridTransform.of(own, Target((1.3, 0.8, 1.1)))
    labels = ellipsoid(own)
    whole = transform.labels_to_grid(labels)
    monkeypatch.setattr(resample, "SLAB_VOXELS", 5_000)
    assert np.array_equal(transform.labels_to_grid(labels), whole)


def test_unannotated_voxels_stay_unannotated_and_no_value_is_invented():
    own = geometry((30, 30, 30), (0.7, 0.9, 1.4))
    labels = ellipsoid(own) * 3
    labels[:, :, 20:] = IGNORE
    on_grid = GridTransform.of(own, Target((1.0, 1, 1))).labels_to_grid(labels)
    assert set(np.unique(on_grid)) == {0, 3, 6, IGNORE}
    boundary = 20 * 0.7
    position = (np.arange(on_grid.shape[2]) + 0.5) * 30 * 0.7 / on_grid.shape[2]
    assert (on_grid[:, :, position > boundary + 1] == IGNORE).all()
    assert (on_grid[:, :, position < boundary - 1] != IGNORE).all()


@pytest.mark.parametrize("spacing", [0.5, 1.0, 7.0])
def test_a_single_slice_stays_a_single_slice(spacing):
    own = geometry((32, 30, 1), (0.8, 0.8, spacing))
    transform = GridTransform.of(own, Target((1.0, 1, 1)))
    assert transform.shape_zyx == (1, 24, 26)
    labels = np.zeros(own.shape_zyx, np.uint8)
    labels[0, 8:20, 10:22] = 1
    restored = transform.restore(one_hot(transform.labels_to_grid(labels), 2)).argmax(0)
    more, less = one_voxel_more_or_less(labels[0])
    assert not (restored[0].astype(bool) & ~more).any()
    assert not (less & ~restored[0].astype(bool)).any()


def test_the_slices_of_a_stack_are_neither_merged_nor_invented():
    for thickness, slices in ((5.0, 14), (10.0, 9), (12.0, 8)):
        own = geometry((60, 50, slices), (1.4, 1.4, thickness))
        assert GridTransform.of(own, Target((10.0, 1.5, 1.5))).shape_zyx[0] == slices
    thin = geometry((60, 50, 90), (1.4, 1.4, 1.0))
    assert GridTransform.of(thin, Target((10.0, 1.5, 1.5))).shape_zyx[0] == 9


def test_a_stack_cut_at_any_angle_has_its_slices_first():
    own = geometry((40, 44, 8), (1.5, 1.5, 9), rotation(70, 40, 20))
    transform = GridTransform.of(own, Target((9.0, 1.5, 1.5), axes="stack"))
    assert transform.shape_zyx == (8, 44, 40)
    sagittal = geometry((8, 40, 44), (9, 1.5, 1.5))
    transform = GridTransform.of(sagittal, Target((9.0, 1.5, 1.5), axes="stack"))
    assert transform.shape_zyx == (8, 44, 40)
    volume = np.random.default_rng(5).normal(size=sagittal.shape_zyx).astype(np.float32)
    out = np.empty(transform.shape_zyx, np.float32)
    transform.to_grid(volume, out)
    assert np.array_equal(transform.restore(out[None])[0], volume)


@pytest.mark.parametrize("dtype", [np.float16, torch.float16, torch.bfloat16, torch.float32])
def test_predictions_of_any_number_format_are_restored(dtype):
    transform = GridTransform.of(geometry((12, 10, 8), (1, 1, 1.5)), Target((1.0, 1, 1)))
    ones = np.ones((2, *transform.shape_zyx), np.float32)
    volume = torch.from_numpy(ones).to(dtype) if isinstance(dtype, torch.dtype) else ones.astype(dtype)
    restored = transform.restore(volume)
    assert tuple(restored.shape) == (2, 8, 10, 12)
    assert np.allclose(np.asarray(restored), 1, atol=1e-6)


def test_an_image_with_an_impossible_spacing_names_the_case():
    own = geometry((512, 512, 400), (300.0, 300, 300))
    with pytest.raises(ImageError, match="case P7: .*voxels at the model's spacing of 1 x 1 x 1 mm"):
        GridTransform.of(own, Target((1.0, 1, 1)), case="P7")


def test_a_map_of_another_shape_is_refused():
    transform = GridTransform.of(geometry((12, 10, 8)), Target((1.0, 1, 1)))
    with pytest.raises(ValueError, match=r"shape \(8, 10, 11\)"):
        transform.restore(np.zeros((2, 8, 10, 11), np.float32))
    with pytest.raises(ValueError, match="label map"):
        transform.labels_to_grid(np.zeros((8, 10, 11), np.uint8))
