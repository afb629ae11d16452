"""What a slice view shows of an image, and from where a 3-D view looks."""

import numpy as np
import pytest
from MetaSSLPictures.Framing import corners, frameFor, letter, viewpointFor

AXES = np.eye(3)


def box(*ends) -> np.ndarray:
    low, high = zip(*ends, strict=True)
    return corners(np.add(low, 0.5), np.add(high, 0.5), np.eye(4))


def test_corners_are_the_outer_faces_of_the_voxels():
    found = corners((0, 0, 0), (2, 3, 4), np.diag([2.0, 1.0, 1.0, 1.0]))
    np.testing.assert_allclose((found.min(axis=0), found.max(axis=0)), ([-1, -0.5, -0.5], [3, 2.5, 3.5]))


def test_a_small_target_is_magnified_but_not_beyond_sense():
    image, target = box((0, 100), (0, 100), (0, 50)), box((40, 60), (45, 55), (20, 30))
    frame = frameFor(AXES, image, target, np.array([50.0, 50.0, 24.0]))
    assert 20 < frame.side < 40
    np.testing.assert_allclose(frame.centerRas, (50, 50, 24))
    dot = box((50, 51), (50, 51), (20, 21))
    assert frameFor(AXES, image, dot, np.array([50.0, 50.0, 24.0])).side == 25


def test_the_frame_stays_inside_the_image_where_the_target_allows_it():
    image, target = box((0, 100), (0, 60), (0, 50)), box((0, 20), (30, 60), (20, 30))
    frame = frameFor(AXES, image, target, np.array([5.0, 50.0, 24.0]))
    half = frame.side / 2
    assert frame.centerRas[0] - half >= -1e-9 and frame.centerRas[1] + half <= 60 + 1e-9


def test_a_target_longer_than_the_image_is_high_is_shown_whole():
    image, target = box((0, 100), (0, 30), (0, 50)), box((10, 90), (5, 25), (20, 30))
    frame = frameFor(AXES, image, target, np.array([50.0, 15.0, 24.0]))
    assert 80 < frame.side <= 100 and frame.centerRas[1] == pytest.approx(15)


@pytest.mark.parametrize(
    ("direction", "expected"),
    [((1, 0, 0), "R"), ((-1, 0.2, 0), "L"), ((0, 0.9, 0.3), "A"), ((0, -1, 0), "P"), ((0, 0, -2), "I")],
)
def test_letters_name_the_side_that_a_direction_points_to(direction, expected):
    assert letter(np.array(direction)) == expected


def rod(axis: int) -> np.ndarray:
    points = np.random.default_rng(0).uniform(-1, 1, (500, 3)) * 5
    points[:, axis] *= 6
    return points


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("spot", [(5.0, 0, 0), (0, -5.0, 0), (0, 0, 30.0), (0, 0, -30.0), (0, 0, 0)])
def test_a_long_structure_lies_across_the_view_and_fits_in_it(axis, spot):
    points = rod(axis)
    look = viewpointFor(points, np.array(spot))
    assert abs(look.towardsEye[axis]) < 0.8
    assert look.towardsEye[2] > -0.2, "never from below"
    assert np.linalg.norm(look.towardsEye) == pytest.approx(1)
    assert abs(look.up @ look.towardsEye) < 1e-9 and look.up[2] > 0.5
    right = np.cross(look.up, look.towardsEye)
    for direction in (right, look.up):
        assert np.abs((points - look.focalRas) @ direction).max() <= look.halfHeight


def test_the_spot_is_on_the_near_side():
    for spot in ((-5.0, 0, 0), (5.0, 0, 0), (0, 5.0, 0)):
        assert viewpointFor(rod(2), np.array(spot)).towardsEye @ spot > 0


def test_a_single_point_can_be_looked_at():
    look = viewpointFor(np.zeros((1, 3)), np.zeros(3))
    assert np.isfinite([*look.focalRas, *look.towardsEye, look.halfHeight]).all()
