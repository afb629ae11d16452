"""The places to look at in a predicted case: as small as a look, in the order of what looking at them pays."""

from __future__ import annotations

import time

import numpy as np
import pytest
import SimpleITK as sitk
from metassl.imaging import Geometry
from metassl.project import LabelDefinition
from metassl.project.effort.expected import looking_seconds
from metassl.project.masks import bounding_box, dilate
from metassl.project.places import search
from metassl.project.places.pieces import cut
from metassl.project.places.search import Place, deepest, find_places
from metassl.project.places.words import place_text, position_text, volume_text
from metassl.project.regions import REGIONS
from metassl.project.structures import REGION_COLORS

UC, US, DC, DS = 1, 2, 3, 4
STRAIGHT = (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0)
SHAPE = (40, 48, 44)
ANTERIOR, POSTERIOR = LabelDefinition(1, "Anterior"), LabelDefinition(2, "Posterior")


def grid(shape=SHAPE, spacing=(1.0, 1.0, 1.0), direction=STRAIGHT) -> Geometry:
    return Geometry(shape[::-1], spacing, (31.0, -57.0, 12.0), direction)


def tilted(shape=SHAPE) -> Geometry:
    """Turned by 20 and 10 degrees, x and z reversed, anisotropic."""
    a, b = np.radians([20.0, 10.0])
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1.0]])
    tilt = np.array([[1.0, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return grid(shape, (0.9, 1.25, 2.0), tuple((turn @ tilt @ np.diag([-1.0, 1.0, -1.0])).ravel()))


def maps(shape=SHAPE):
    """Nothing predicted, and nothing uncertaintyed: a segmentation and a region map."""
    return np.zeros(shape, np.uint8), np.full(shape, UC, np.uint8)


def radius(center_zyx, shape=SHAPE, steps=(1.0, 1.0, 1.0)) -> np.ndarray:
    axes = np.ogrid[tuple(slice(n) for n in shape)]
    return np.sqrt(sum((step * (axis - c)) ** 2 for axis, c, step in zip(axes, center_zyx, steps, strict=True)))


def ball(center_zyx, size, shape=SHAPE) -> np.ndarray:
    return radius(center_zyx, shape) <= size


def shell(shape, spacing_zyx, inner_mm, thick_mm):
    """A ball that is predicted and its uncertain surface."""
    middle = [(n - 1) / 2 for n in shape]
    from_middle = radius(middle, shape, spacing_zyx)
    segmentation, regions = maps(shape)
    segmentation[from_middle < inner_mm + thick_mm / 2] = 1
    regions[(from_middle >= inner_mm) & (from_middle < inner_mm + thick_mm)] = DS
    return segmentation, regions


# As small as a look


@pytest.mark.parametrize(
    ("spacing", "sides"),
    [
        ((1.0, 1.0, 1.0), (15, 15, 15)),
        ((0.7, 0.7, 0.7), (21, 21, 21)),
        ((1.5, 1.5, 8.0), (5, 12, 12)),
        ((0.7, 0.7, 5.0), (5, 21, 21)),
        ((3.0, 0.9, 0.9), (16, 16, 5)),
        ((0.1, 0.1, 0.1), (24, 24, 24)),
        ((4.0, 4.0, 4.0), (12, 12, 12)),
    ],
)
def test_a_look_takes_in_15_mm_or_12_voxels_and_5_slices_of_a_stack(spacing, sides):
    assert search.longest_sides(grid(spacing=spacing)) == sides


@pytest.mark.parametrize(
    ("shape", "spacing", "inner", "thick"),
    [
        ((48, 48, 48), (1.0, 1.0, 1.0), 18.0, 3.0),
        ((80, 90, 85), (0.7, 0.7, 0.7), 22.0, 1.0),
        ((12, 64, 64), (1.5, 1.5, 8.0), 36.0, 6.0),
    ],
)
def test_the_shell_of_a_structure_is_cut_into_looks_and_nothing_of_it_is_lost(shape, spacing, inner, thick):
    segmentation, regions = shell(shape, spacing[::-1], inner, thick)
    geometry = grid(shape, spacing)
    sides = np.array(search.longest_sides(geometry))
    voxels = np.argwhere(regions == DS)
    piece = cut(voxels, np.ones(len(voxels)), tuple(sides), 1000)
    assert piece.min() == 0
    for number in range(piece.max() + 1):
        own = voxels[piece == number]
        assert (np.ptp(own, axis=0) + 1 <= sides).all()

    places = find_places(segmentation, regions, geometry, [ANTERIOR])
    assert 6 <= len(places) < search.MOST
    small = sum(np.bincount(piece)[np.bincount(piece) < 5]) * geometry.voxel_ml
    assert sum(place.ml for place in places) + small == pytest.approx(len(voxels) * geometry.voxel_ml)
    for place in places:
        assert regions[place.index_xyz[::-1]] == DS
        assert place.extent_mm <= (sides * geometry.spacing_zyx).max() + 1e-6
        assert place.slices <= max(sides)
    assert find_places(segmentation, regions, geometry, [ANTERIOR]) == places, "the same every time"


def test_pieces_are_compact_and_what_is_worth_most_lies_in_the_middle_of_one():
    voxels = np.stack([np.zeros(60, int), np.zeros(60, int), np.arange(60)], axis=1)
    worth = np.full(60, 0.1)
    worth[29:32] = 5.0
    piece = cut(voxels, worth, (15, 15, 15), 100)
    assert all((np.diff(np.flatnonzero(piece == number)) == 1).all() for number in range(piece.max() + 1))
    assert len(set(piece[26:35])) == 1
    assert np.bincount(piece).min() >= 3, "no slivers beside full windows"


def test_beyond_as_many_pieces_as_are_wanted_goes_what_is_worth_least():
    voxels = np.stack([np.zeros(90, int), np.zeros(90, int), np.arange(90)], axis=1)
    worth = np.where(np.arange(90) < 30, 1.0, 0.1)
    piece = cut(voxels, worth, (15, 15, 15), 2)
    assert np.count_nonzero(piece[:30] >= 0) > 20 and (piece[45:] == -1).all() and set(piece) == {-1, 0, 1}


def test_a_stack_of_one_slice_has_places_too():
    segmentation, regions = maps((1, 48, 44))
    regions[0, 12:18, 5:40] = DC
    places = find_places(segmentation, regions, grid((1, 48, 44), (1.0, 1.0, 5.0)))
    assert len(places) in (3, 4) and {place.slices for place in places} == {1}
    assert all(regions[place.index_xyz[::-1]] == DC for place in places)


# The cross


@pytest.mark.parametrize("geometry", [grid(), tilted()], ids=["straight", "tilted"])
def test_the_cross_lies_in_ras_where_the_header_says(geometry):
    segmentation, regions = maps()
    regions[18:22, 18:23, 29:32] = DS
    (place,) = find_places(segmentation, regions, geometry)
    assert np.abs(np.subtract(place.index_xyz, (30, 20, 19.5))).max() <= 0.5
    header = geometry.apply(sitk.Image(list(geometry.size_xyz), sitk.sitkUInt8))
    x, y, z = header.TransformIndexToPhysicalPoint(place.index_xyz)
    np.testing.assert_allclose(place.ras, (-x, -y, z), atol=1e-9)


def test_the_cross_lands_on_the_voxel_that_is_most_likely_wrong():
    segmentation, regions = maps()
    lump = ball((20, 20, 20), 5)
    segmentation[lump], regions[lump] = 1, US
    regions[20, 20, 23] = DS
    errors, unsure = np.full(SHAPE, 0.1, np.float32), np.full(SHAPE, 0.2, np.float32)
    errors[17, 21, 20], unsure[22, 18, 21] = 0.9, 0.8
    errors[0, 0, 0] = unsure[20, 20, 30] = 1.0  # outside: nobody is unsure of it

    def cross(**given) -> tuple[int, int, int]:
        (place,) = find_places(segmentation, regions, grid(), [ANTERIOR], **given)
        return place.index_xyz

    assert cross(error_probability=errors, uncertainty=unsure) == (20, 21, 17)
    assert cross(uncertainty=unsure) == (21, 18, 22)
    assert cross() == (23, 20, 20), "DS is worse than US"
    assert cross(error_probability=np.full(SHAPE, 0.3, np.float32)) == (20, 20, 20), "alike: deepest inside"


def test_a_ring_never_has_its_cross_in_the_middle_where_nobody_uncertainties():
    segmentation, regions = maps()
    from_middle = radius((20, 24, 22))
    segmentation[from_middle < 6] = 1
    regions[(from_middle >= 4) & (from_middle < 6)] = US
    places = find_places(segmentation, regions, grid(), [ANTERIOR])
    assert len(places) == 1 and regions[places[0].index_xyz[::-1]] == US


def test_numbers_that_are_none_count_as_uncertainty():
    segmentation, regions = maps()
    regions[10:14, 10:14, 10:14] = DS
    errors = np.full(SHAPE, 0.2, np.float32)
    errors[12, 12, 11] = np.nan
    (place,) = find_places(segmentation, regions, grid(), error_probability=errors)
    assert place.index_xyz == (11, 12, 12) and 0.2 < place.chance < 0.3


def test_the_deepest_voxel_is_in_the_thickest_part():
    part = ball((10, 10, 10), 4) | ball((10, 10, 30), 6)
    part[10, 10, 10:30] = True
    voxels = np.argwhere(part)
    assert tuple(voxels[deepest(voxels, grid())]) == (10, 10, 30)


# The order


def lumps(*blocks) -> tuple[np.ndarray, np.ndarray]:
    segmentation, regions = maps()
    for code, box in blocks:
        regions[box] = code
    return segmentation, regions


FLAT = np.s_[5:7, 5:17, 5:17]  # 288 voxels in 2 slices
CUBE = np.s_[25:32, 30:37, 30:37]  # 343 voxels in 7 slices


def test_the_place_that_pays_most_a_second_of_looking_comes_first():
    flat, cube = find_places(*lumps((DS, CUBE), (DS, FLAT)), grid())
    assert (flat.ml, cube.ml) == (pytest.approx(0.288), pytest.approx(0.343))
    assert (flat.slices, cube.slices, flat.rank, cube.rank) == (2, 7, 1, 2)
    assert (flat.seconds, cube.seconds) == (looking_seconds(2), looking_seconds(7))
    assert flat.expected_ml / flat.seconds > cube.expected_ml / cube.seconds and flat.expected_ml < cube.expected_ml


def test_measured_rates_and_then_the_learnt_probability_decide_what_is_expected():
    case = lumps((DC, CUBE), (DS, FLAT))
    rates = {"UC": 0.001, "US": None, "DC": 0.8, "DS": 0.1}
    first, second = find_places(*case, grid(), rates=rates)
    assert (first.main_region, first.chance, second.chance) == ("DC", pytest.approx(0.8), pytest.approx(0.1))
    assert first.expected_ml == pytest.approx(0.8 * 0.343)
    errors = np.full(SHAPE, 0.02, np.float32)
    errors[FLAT] = 0.6
    first, second = find_places(*case, grid(), rates=rates, error_probability=errors)
    assert (first.main_region, first.chance) == ("DS", pytest.approx(0.6))
    assert second.expected_ml == pytest.approx(0.02 * 0.343, rel=1e-5)


def test_what_nobody_has_measured_has_no_chance_and_an_assumed_order():
    segmentation, regions = lumps((US, CUBE), (DC, FLAT))
    segmentation[CUBE] = 1
    first, second = find_places(segmentation, regions, grid(), rates={"US": 0.05, "DC": None, "XY": 0.5})
    assert (first.main_region, first.chance, second.chance) == ("DC", None, pytest.approx(0.05))


def test_a_hundred_crumbs_do_not_come_before_a_place():
    segmentation, regions = maps()
    regions[::8, ::8, ::8] = DS
    regions[4::8, 4:6, 4::8] = DS
    regions[20:24, 20:26, 20:30] = DC
    places = find_places(segmentation, regions, grid())
    assert places[0].main_region == "DC" and places[0].ml >= 0.24
    assert all(place.ml >= 0.005 - 1e-9 for place in places), "crumbs are left out"


def test_where_there_are_only_crumbs_a_few_are_shown():
    segmentation, regions = maps()
    regions[10, 10, ::4] = DC
    assert len(find_places(segmentation, regions, grid())) == 3
    regions[:] = UC
    assert find_places(segmentation, regions, grid()) == []


def test_unsure_voxels_count_only_in_and_close_to_a_structure():
    segmentation, regions = maps()
    segmentation[ball((20, 24, 12), 6)] = 1
    regions[20:23, 24:27, 18:22] = US
    regions[:, :, 34:] = US
    (place,) = find_places(segmentation, regions, grid(), [ANTERIOR])
    assert place.index_xyz[0] < 22 and place.ml == pytest.approx(0.036)


def test_a_voxel_of_another_region_belongs_to_the_place_that_it_touches():
    segmentation, regions = maps()
    segmentation[ball((20, 24, 20), 8)] = 1
    regions[20, 20:28, 16:24] = US
    regions[21, 24, 20] = DS
    (place,) = find_places(segmentation, regions, grid(), [ANTERIOR])
    assert place.regions == {"US": pytest.approx(64 / 65), "DS": pytest.approx(1 / 65)} and place.main_region == "US"


# What is said


def test_the_structure_is_that_under_the_cross_or_the_nearest():
    segmentation, regions = maps()
    segmentation[10:20, 10:20, 10:20], segmentation[10:20, 10:20, 20:30] = 1, 2
    regions[14:16, 12:15, 25:28] = DS
    regions[14:16, 22:25, 12:15] = DC
    regions[36:39, 44:47, 40:43] = DC
    errors = np.select([regions == DS, regions == DC], [0.416, 0.004], 0.0).astype(np.float32)
    labels = [ANTERIOR, POSTERIOR]
    texts = {place_text(place) for place in find_places(segmentation, regions, grid(), labels, None, errors)}
    assert texts == {
        "Posterior: networks differ, both unsure, 0.018 ml, 42 % chance to be wrong",
        "outside, near Anterior: networks differ, one is sure, 0.018 ml, less than 1 % chance to be wrong",
        "outside: networks differ, one is sure, 0.027 ml, less than 1 % chance to be wrong",
    }


def test_of_a_single_structure_both_answers_are_known():
    segmentation, regions = maps()
    segmentation[10:20, 10:20, 10:20] = 1
    regions[14:16, 12:15, 12:15], regions[14:16, 19:22, 19:22] = US, DS
    texts = [place_text(place) for place in find_places(segmentation, regions, grid(), [ANTERIOR])]
    unknown = "chance to be wrong not yet measured"
    assert texts == [
        f"Anterior or outside: networks differ, both unsure, 0.018 ml, {unknown}",
        f"Anterior: networks agree, but are unsure, 0.018 ml, {unknown}",
    ]


def test_the_words_can_be_translated():
    segmentation, regions = lumps((DS, CUBE))
    (place,) = find_places(segmentation, regions, grid())
    german = {"{rank} of {count}": "{rank} von {count}", "outside": "außerhalb"}
    assert position_text(place, 12) == "1 of 12" and position_text(place, 12, german.get) == "1 von 12"
    assert place_text(place, lambda text: german.get(text, text)).startswith("außerhalb: ")


# Large images


def timed(*arguments, **given) -> tuple[list[Place], float]:
    begin = time.process_time()
    return find_places(*arguments, **given), time.process_time() - begin


def test_a_large_shell_in_a_large_image_is_found_in_seconds():
    shape, spacing = (300, 512, 512), (0.7, 0.7, 0.7)
    segmentation, regions = shell(shape, spacing, 90.0, 2.8)
    regions[2, 2, 2:9] = regions[297, 509, 500:509] = DC  # so that the box of all uncertainty is the image
    errors = np.full(shape, 0.3, np.float32)
    worst = (150, 256, 256 + 131)
    errors[worst] = 0.95
    places, seconds = timed(segmentation, regions, grid(shape, spacing), [ANTERIOR], error_probability=errors)
    assert len(places) == search.MOST and max(place.extent_mm for place in places) <= 15.0
    assert regions[worst] == DS and worst[::-1] in [place.index_xyz for place in places]
    assert seconds < 12, "about one second on a quiet machine"


def test_where_nearly_everything_is_uncertain_the_search_still_ends(monkeypatch):
    monkeypatch.setattr(search, "_MOST_VOXELS", 50_000)
    shape = (60, 128, 128)
    random = np.random.default_rng(0)
    segmentation, regions = np.ones(shape, np.uint8), random.integers(1, 5, shape, np.uint8)
    errors = random.random(shape, np.float32)
    places, seconds = timed(segmentation, regions, grid(shape), error_probability=errors)
    assert len(places) == search.MOST and seconds < 20
    assert min(place.chance for place in places) > 0.8, "the worst are kept"


# Masks


@pytest.mark.parametrize("shape", [(5, 6, 7), (1, 9, 16), (3, 1, 1), (12, 20, 25)])
@pytest.mark.parametrize("voxels", [0, 1, 3, (1, 2, 4), (0, 3, 7)])
def test_a_mask_grows_by_a_box(shape, voxels):
    mask = np.random.default_rng(0).random(shape) < 0.03
    zyx = (voxels,) * 3 if isinstance(voxels, int) else voxels
    grown = sitk.BinaryDilate(sitk.GetImageFromArray(mask.astype(np.uint8)), zyx[::-1], sitk.sitkBox, 0.0, 1.0, False)
    np.testing.assert_array_equal(dilate(mask, voxels), sitk.GetArrayFromImage(grown) > 0)


def test_a_bounding_box_holds_the_mask_and_stays_inside_the_image():
    mask = np.zeros((20, 30, 40), bool)
    mask[0:3, 10, 38] = True
    assert bounding_box(mask) == (slice(0, 3), slice(10, 11), slice(38, 39))
    assert bounding_box(mask, margin=2) == (slice(0, 5), slice(8, 13), slice(36, 40))
    assert bounding_box(~mask & mask) is None


def test_the_region_values_and_colours_are_those_of_the_project():
    assert {region.value: region.key for region in REGIONS} == {UC: "UC", US: "US", DC: "DC", DS: "DS"}
    assert tuple(region.color for region in REGIONS) == REGION_COLORS


@pytest.mark.parametrize(
    ("ml", "text"),
    [(0.0, "0.000 ml"), (1234.5, "1,234 ml"), (0.0181, "0.018 ml"), (0.00051, "0.51 mm³"), (2.5e-6, "0.0025 mm³")],
)
def test_a_volume_has_a_unit_in_which_it_is_not_0(ml, text):
    assert volume_text(ml).replace("\N{NO-BREAK SPACE}", " ") == text
    assert volume_text(5.12e-10).replace("\N{NO-BREAK SPACE}", " ") == "510 µm³"
