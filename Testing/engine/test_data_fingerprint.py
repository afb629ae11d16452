"""What a set of images is like."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
from metassl.data.fingerprint import fingerprint
from metassl.data.plan import make_plan
from metassl.files.errors import ProjectError
from metassl.imaging.geometry import Geometry
from metassl.imaging.images import IGNORE, CaseImage

STRAIGHT = (1.0, 0, 0, 0, 1, 0, 0, 0, 1)


def rotation(x=0.0, y=0.0, z=0.0):
    transform = sitk.Euler3DTransform()
    transform.SetRotation(*np.radians([x, y, z]))
    return transform.GetMatrix()


def case(channels, spacing_xyz=(1.0, 1.0, 1.0), direction=STRAIGHT):
    array = np.stack([np.asarray(channel, np.float32) for channel in channels])
    size = array.shape[:0:-1]
    return CaseImage(array, Geometry(size, tuple(map(float, spacing_xyz)), (0.0,) * 3, direction))


def mr(seed=0, shape=(10, 12, 14)):
    return np.random.default_rng(seed).normal(300, 40, shape).clip(1)


def ct(seed=0, shape=(10, 12, 14)):
    rng = np.random.default_rng(seed)
    body = rng.normal(40, 15, shape)
    body[:, :3] = -1000
    body[2:5, 6:9, 4:8] = rng.normal(120, 5, (3, 3, 4))
    return np.rint(body)


def liver(shape=(10, 12, 14)):
    labels = np.zeros(shape, np.uint8)
    labels[2:5, 6:9, 4:8] = 2
    return labels


def test_a_case_is_labelled_when_a_structure_is_annotated_in_it():
    labels = liver()
    labels[0] = IGNORE
    nothing = np.full_like(labels, IGNORE)
    facts = fingerprint([("a", case([mr()]), labels), ("b", case([mr(1)]), None), ("c", case([mr(2)]), nothing)])
    assert facts["labelled"] == 1


def test_a_fingerprint_is_plain_json():
    facts = fingerprint([("a", case([ct(), mr()]), liver())])
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts


def test_medians_are_in_patient_axes_however_the_files_are_stored():
    sagittal = (0.0, 0, 1, 1, 0, 0, 0, -1, 0)  # columns: x along P, y along -S, z along L
    items = [
        ("axial", case([mr(shape=(10, 12, 14))], (1.4, 1.2, 1.0)), None),
        ("sagittal", case([mr(shape=(14, 10, 12))], (1.2, 1.0, 1.4), sagittal), None),
    ]
    facts = fingerprint(items)
    assert facts["axes"] == "patient"
    assert facts["median_spacing_zyx"] == [1.0, 1.2, 1.4]
    assert facts["median_shape_zyx"] == [10, 12, 14]


def test_the_median_shape_is_in_voxels_of_the_median_spacing():
    spacings = [(1, 1, 1), (2, 2, 2), (2, 2, 2)]
    facts = fingerprint((str(i), case([mr(i)], s), None) for i, s in enumerate(spacings))
    assert facts["median_spacing_zyx"] == [2, 2, 2]
    assert facts["median_shape_zyx"] == [10, 12, 14]


def test_straight_axial_stacks_keep_patient_axes():
    items = [(str(i), case([mr(i, (8, 12, 14))], (1, 1, 8), rotation(5 * i, 10, 3)), None) for i in range(3)]
    assert fingerprint(items)["axes"] == "patient"


def test_stacks_at_any_angle_have_their_slices_first():
    angles = [(60, 30, 0), (40, -50, 20), (5, 5, 5), (-45, 45, 45)]
    items = [(str(i), case([mr(i, (8, 12, 14))], (1, 1, 8), rotation(*a)), None) for i, a in enumerate(angles)]
    facts = fingerprint(items)
    assert facts["axes"] == "stack"
    assert facts["median_spacing_zyx"] == [8, 1, 1]
    assert facts["median_shape_zyx"] == [8, 12, 14]


def test_sagittal_stacks_have_their_slices_first():
    items = [(str(i), case([mr(i, (14, 12, 6))], (6, 1, 1)), None) for i in range(3)]
    facts = fingerprint(items)
    assert facts["axes"] == "stack"
    assert facts["median_spacing_zyx"] == [6, 1, 1]


def test_ct_is_told_from_mr():
    facts = fingerprint([(str(i), case([ct(i), mr(i)]), None) for i in range(3)])
    assert [channel["is_ct"] for channel in facts["channels"]] == [True, False]


@pytest.mark.parametrize(
    "volume",
    [mr() - 800, (ct() + 1000) / 7, ct() * 50, ct() + 1024],
    ids=["negative but not whole", "scaled", "out of range", "no air below zero"],
)
def test_other_images_are_not_taken_for_ct(volume):
    assert fingerprint([("a", case([volume]), None)])["channels"][0]["is_ct"] is False


def test_the_ct_window_is_that_of_the_annotated_structure():
    facts = fingerprint([("a", case([ct(0)]), liver()), ("b", case([ct(1)]), None)])
    window = make_plan(facts, 2, "cpu", 10**10).intensity[0]
    assert window["scheme"] == "ct_window"
    assert 100 < window["low"] < window["mean"] < window["high"] < 140
    assert window["mean"] == pytest.approx(120, abs=4)


def test_without_annotations_the_ct_window_leaves_the_air_out():
    facts = fingerprint([("a", case([ct(0)]), None)])
    window = make_plan(facts, 2, "cpu", 10**10).intensity[0]
    assert window["low"] > -200 and window["high"] < 200


def test_an_annotation_without_any_structure_counts_as_none():
    facts = fingerprint([("a", case([ct()]), np.zeros((10, 12, 14), np.uint8))])
    assert facts["labelled"] == 0


def test_no_case_at_all_is_a_project_error():
    with pytest.raises(ProjectError, match="no image to plan with"):
        fingerprint([])


def test_cases_with_other_channels_are_named():
    with pytest.raises(ProjectError, match=r"case b has 2 channel\(s\), the others have 1"):
        fingerprint([("a", case([mr()]), None), ("b", case([mr(), mr()]), None)])
