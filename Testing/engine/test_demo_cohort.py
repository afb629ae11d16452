"""The demo's synthetic cohort."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from metassl.demo.cohort import make_cohort
from metassl.demo.phantom import BODY, HEAD, SHAPE_ZYX
from metassl.files import ProjectError
from metassl.imaging import Geometry, read_image, read_labels
from metassl.intake import find_cases, new_project


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> Path:
    return make_cohort(tmp_path_factory.mktemp("cohort") / "made" / "here")


@pytest.fixture(scope="module")
def split(cohort) -> dict:
    return json.loads((cohort / "splits.json").read_text(encoding="utf-8"))


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def names(cohort: Path) -> list[str]:
    return sorted(path.name.removesuffix(".nii.gz") for path in (cohort / "imagesTr").iterdir())


def labels(cohort: Path, kind: str, name: str) -> np.ndarray:
    return read_labels(cohort / kind / f"{name}.nii.gz", name)[0]


def dice(one: np.ndarray, other: np.ndarray, value: int) -> float:
    one, other = one == value, other == value
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def test_two_runs_give_the_same_bytes_and_another_seed_does_not(tmp_path, cohort):
    first = content(make_cohort(tmp_path / "a", cases=6))
    again = content(cohort)
    assert all(first[path] == again[path] for path in first if path.startswith(("imagesTr", "truthTr")))
    assert first["labelsTr/case_03.nii.gz"] == again["labelsTr/case_03.nii.gz"] != first["truthTr/case_03.nii.gz"]
    other = content(make_cohort(tmp_path / "c", cases=6, seed=1))
    assert other.keys() == first.keys()
    assert not [path for path in first if path.endswith(".nii.gz") and first[path] == other[path]]


def test_the_split_holds_every_case_once_and_starts_with_one_hurried_annotation_in_three(cohort, split):
    parts = [split[key] for key in ("train_order", "val", "test")]
    assert [len(part) for part in parts] == [16, 2, 6]
    assert sorted(sum(parts, [])) == names(cohort)
    assert len(set(split["train_order"][:3]) & set(split["noisy"])) == 1
    assert set(split["noisy"]) < set(split["train_order"])


def test_only_the_noisy_cases_differ_from_the_truth_and_they_stay_recognisable(cohort, split):
    for name in names(cohort):
        given, truth = labels(cohort, "labelsTr", name), labels(cohort, "truthTr", name)
        if name not in split["noisy"]:
            assert np.array_equal(given, truth), name
            continue
        for value in (HEAD, BODY):
            assert 0.6 < dice(given, truth, value) < 0.97, name


def test_every_truth_is_one_organ_of_two_touching_parts_inside_the_image(cohort):
    for name in names(cohort):
        truth = labels(cohort, "truthTr", name)
        assert set(np.unique(truth)) == {0, HEAD, BODY}, name
        assert min((truth == HEAD).sum(), (truth == BODY).sum()) > 500, name
        touching = (truth[:, 1:] * truth[:, :-1]) == HEAD * BODY
        assert touching.sum() > 15, name
        for axis in range(3):
            ends = np.take(truth, [0, -1], axis)
            assert (ends > 0).sum() < 0.01 * (truth > 0).sum(), name
        pieces = sitk.RelabelComponent(sitk.ConnectedComponent(sitk.GetImageFromArray((truth > 0).astype(np.uint8))))
        assert (sitk.GetArrayFromImage(pieces) == 1).sum() > 0.99 * (truth > 0).sum(), name


def test_images_and_labels_share_an_oblique_grid_of_their_own(cohort):
    directions = set()
    for name in names(cohort):
        image = read_image([cohort / "imagesTr" / f"{name}.nii.gz"], name)
        assert image.array.shape == (1, *SHAPE_ZYX)
        for kind in ("labelsTr", "truthTr"):
            geometry = read_labels(cohort / kind / f"{name}.nii.gz", name)[1]
            assert image.geometry.difference(geometry) == ""
        directions.add(image.geometry.direction)
        straight = Geometry(
            image.geometry.size_xyz, (1, 1, 1), image.geometry.origin_xyz, (-1, 0, 0, 0, -1, 0, 0, 0, 1)
        )
        assert "direction" in image.geometry.difference(straight)
    assert len(directions) == len(names(cohort))


def test_the_parts_are_close_in_brightness_and_the_scales_differ(cohort):
    scales, contrasts = [], []
    for name in names(cohort):
        image = read_image([cohort / "imagesTr" / f"{name}.nii.gz"], name).array[0]
        truth = labels(cohort, "truthTr", name)
        head, body, rest = (np.median(image[truth == value]) for value in (HEAD, BODY, 0))
        assert min(head, body) > rest, name
        scales.append(rest)
        contrasts.append((head - body) / image[truth == HEAD].std())
    assert max(scales) > 3 * min(scales)
    assert 0.3 < np.median(contrasts) < 2.5, "the border between the parts is hard, not invisible"


def test_a_project_is_made_from_it_as_from_any_decathlon_folder(tmp_path, cohort, split):
    found = find_cases(cohort)
    assert [(label.value, label.name) for label in found.labels] == [(1, "Head"), (2, "Body")]
    project, warnings = new_project(tmp_path / "project", cohort, labelled=3)
    assert warnings == []
    assert sorted(case.id for case in project.labelled_cases()) == sorted(split["train_order"][:3])
    assert len(project.unlabelled_cases()) == 13


def test_too_few_cases_are_refused(tmp_path):
    with pytest.raises(ValueError, match="at least 6"):
        make_cohort(tmp_path, cases=5)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ProjectError, match="file"):
        make_cohort(tmp_path / "file" / "cohort", cases=6)
