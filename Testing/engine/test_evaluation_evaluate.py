"""Whole evaluations from files on disk."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from metassl.evaluation.evaluate import evaluate
from metassl.evaluation.measure import EvaluationItem
from metassl.evaluation.pairs import pair_with_truth
from metassl.evaluation.table import format_table
from metassl.files import MetaSSLError
from metassl.imaging import Geometry, read_labels, write_array
from metassl.project import LabelDefinition, PredictionPaths

LABELS = [LabelDefinition(1, "Front"), LabelDefinition(2, "Back")]


@pytest.fixture
def made(tmp_path: Path, make_case, make_grid):
    """made(case, shift, ...) writes one predicted case and its truth; returns the item."""

    def make(case: str, shift: int = 1, truth=None, grid: Geometry | None = None) -> EvaluationItem:
        grid = grid or make_grid()
        labels = make_case(0)[1] if truth is None else truth
        prediction = np.roll(labels, shift, axis=1)
        prediction[prediction == 255] = 0
        random = np.random.default_rng(len(case))
        unsure = (prediction != np.roll(prediction, 1, axis=1)) | (prediction != labels)
        uncertainty = np.where(unsure, 0.6, 0.02) + 0.05 * random.random(labels.shape)
        regions = np.where(unsure, random.integers(2, 5, labels.shape), 1).astype(np.uint8)
        paths = PredictionPaths.at(tmp_path / "predictions" / case)
        paths.folder.mkdir(parents=True)
        (tmp_path / "truth").mkdir(exist_ok=True)
        write_array(paths.segmentation, prediction, grid)
        write_array(paths.regions, regions, grid)
        write_array(paths.uncertainty, uncertainty.astype(np.float32), grid)
        truth_path = tmp_path / "truth" / f"{case}.nii.gz"
        write_array(truth_path, labels, grid)
        return EvaluationItem(case, paths, truth_path)

    return make


def no_nan(text: str):
    raise AssertionError(f"{text} is not JSON")


def test_an_evaluation_has_every_promised_figure_and_is_strict_json(made):
    result = evaluate([made("a"), made("b", shift=2), made("c", shift=0)], LABELS)
    text = json.dumps(result, allow_nan=False)
    result = json.loads(text, parse_constant=no_nan)
    assert result["n_cases"] == 3 and result["failed"] == {}
    assert set(result["dice"]["per_class"]) == {"Front", "Back"}
    per_class = result["dice"]["per_class"]
    assert result["dice"]["mean"] == pytest.approx((per_class["Front"] + per_class["Back"]) / 2)
    low, high = result["dice"]["interval"]
    assert low < result["dice"]["mean"] < high
    for name in ("UC", "US", "DC", "DS"):
        row = result["regions"][name]
        assert 0 <= row["error_rate"] <= 1 and 0 <= row["share_of_errors"] <= 1
    assert sum(row["share_of_errors"] for row in result["regions"].values()) == pytest.approx(1)
    assert 0.5 < result["uncertainty"]["auroc"] <= 1
    assert result["flagged"]["share_of_errors"] == 1.0
    assert result["cases"]["c"]["dice"] == 1.0 and result["cases"]["c"]["auroc"] is None


def test_the_figures_are_those_of_a_shift_worked_out_by_hand(made, make_case):
    labels = make_case(0)[1]  # boxes of 6 x 3 x 6 and 6 x 4 x 6 voxels, side by side along y
    item = made("a", shift=1)
    result = evaluate([item], LABELS)
    height = {name: int((labels == value).any((0, 2)).sum()) for value, name in [(1, "Front"), (2, "Back")]}
    for name, rows in height.items():
        assert result["dice"]["per_class"][name] == pytest.approx((rows - 1) / rows)
    area = int((labels == 1).any(1).sum())
    assert result["cases"]["a"]["wrong_voxels"] == 3 * area  # one row at each of the three faces
    assert result["hd95_mm"]["per_class"]["Front"] == pytest.approx(1.25)
    assert result["dice"]["interval"] == [None, None]  # one case has no interval


def test_a_missed_and_an_invented_structure_are_counted(made, make_case, tmp_path, make_grid):
    labels = make_case(0)[1]
    only_back = np.where(labels == 1, 0, labels)
    item = made("a", shift=0, truth=labels)
    write_array(item.prediction.segmentation, only_back, make_grid())
    other = made("b", shift=0, truth=labels)
    write_array(other.truth, np.where(labels == 2, 0, labels), make_grid())
    result = evaluate([item, other], LABELS)
    assert result["missed"] == {"Front": 1, "Back": 0}
    assert result["invented"] == {"Front": 0, "Back": 1}
    assert result["dice"]["per_class"] == {"Front": 0.5, "Back": 0.5}
    assert result["hd95_mm"]["per_class"] == {"Front": 0.0, "Back": 0.0}
    json.dumps(result, allow_nan=False)


def test_a_structure_that_no_case_has_is_null_and_not_in_the_mean(made):
    labels = [*LABELS, LabelDefinition(7, "Nowhere")]
    result = evaluate([made("a"), made("b")], labels)
    assert result["dice"]["per_class"]["Nowhere"] is None
    known = [result["dice"]["per_class"][name] for name in ("Front", "Back")]
    assert result["dice"]["mean"] == pytest.approx(sum(known) / 2)
    json.dumps(result, allow_nan=False)


def test_voxels_that_nobody_annotated_count_nowhere(made, make_case):
    truth = make_case(0)[1]
    truth[:, :7] = 255
    whole = evaluate([made("a")], LABELS)
    part = evaluate([made("b", truth=truth)], LABELS)
    counted = sum(row["voxels"] for row in part["regions"].values())
    assert counted == part["cases"]["b"]["voxels"] == part["uncertainty"]["voxels"]
    assert counted == whole["cases"]["a"]["voxels"] // 2
    prediction = np.roll(np.where(truth == 255, 0, truth), 1, axis=1)
    wrong = int(((prediction != truth) & (truth != 255)).sum())
    assert part["cases"]["b"]["wrong_voxels"] == wrong > 0


def test_voxels_that_were_not_predicted_are_in_no_region_and_have_no_uncertainty(made):
    item = made("a")
    regions, grid = read_labels(item.prediction.regions, "a")
    regions[:2] = 0
    write_array(item.prediction.regions, regions, grid)
    result = evaluate([item], LABELS)
    counted = int((regions > 0).sum())
    assert sum(row["voxels"] for row in result["regions"].values()) == counted
    assert result["uncertainty"]["voxels"] == counted < result["cases"]["a"]["voxels"]


@pytest.mark.parametrize("which", ["segmentation", "regions", "uncertainty"])
def test_a_map_on_another_grid_than_the_annotation_fails_the_case(made, make_grid, which):
    item = made("a")
    path = getattr(item.prediction, which)
    image = sitk.ReadImage(str(path))
    image.SetOrigin((0.0, 0.0, 0.0))
    sitk.WriteImage(image, str(path))
    reason = evaluate([item], LABELS)["failed"]["a"]
    assert str(path) in reason and "origin" in reason


def test_an_annotation_on_another_grid_fails_that_case_and_the_rest_go_on(made, make_grid):
    good, bad = made("good"), made("bad")
    straight = make_grid(direction=(1.0, 0, 0, 0, 1, 0, 0, 0, 1))
    write_array(bad.truth, np.zeros(straight.shape_zyx, np.uint8), straight)
    result = evaluate([bad, good], LABELS)
    assert result["n_cases"] == 1 and list(result["cases"]) == ["good"]
    assert "bad" in result["failed"]["bad"] and "direction" in result["failed"]["bad"]


def test_a_value_outside_the_schema_names_the_case_the_file_and_the_value(made, make_case):
    truth = make_case(0)[1]
    truth[0, 0, 0] = 9
    item = made("odd", truth=truth)
    reason = evaluate([item], LABELS)["failed"]["odd"]
    assert "odd" in reason and str(item.truth) in reason and "9" in reason


@pytest.mark.parametrize("which", ["segmentation", "regions", "uncertainty", "truth"])
def test_a_truncated_or_missing_file_names_the_case(made, which):
    items = [made("torn"), made("gone"), made("fine")]
    for item, spoil in zip(items, (lambda p: p.write_bytes(p.read_bytes()[:60]), Path.unlink), strict=False):
        spoil(item.truth if which == "truth" else getattr(item.prediction, which))
    result = evaluate(items, LABELS)
    assert list(result["cases"]) == ["fine"]
    for case in ("torn", "gone"):
        assert case in result["failed"][case] and "\n" not in result["failed"][case]


def test_an_uncertainty_that_is_not_finite_fails_the_case(made):
    item = made("a")
    image = sitk.ReadImage(str(item.prediction.uncertainty))
    image[1, 1, 1] = float("nan")
    sitk.WriteImage(image, str(item.prediction.uncertainty))
    assert "outside 0..1" in evaluate([item], LABELS)["failed"]["a"]


def test_a_segmentation_alone_can_be_evaluated(made):
    item = made("a")

    class Alone:
        segmentation, regions, uncertainty = item.prediction.segmentation, None, None

    result = evaluate([EvaluationItem("a", Alone, item.truth)], LABELS)
    assert result["dice"]["mean"] > 0.5
    assert result["uncertainty"]["auroc"] is None
    assert "uncertainty" not in format_table(result)


def test_nothing_to_evaluate_is_said(made):
    with pytest.raises(MetaSSLError, match="nothing to evaluate"):
        evaluate([], LABELS)


def test_the_table_shows_every_figure_aligned(made, make_case):
    truth = make_case(0)[1]
    truth[0, 0, 0] = 9
    result = evaluate([made("a"), made("b", shift=2), made("odd", truth=truth)], LABELS)
    text = format_table(result)
    assert "2 cases evaluated" in text and "1 not evaluated" in text and "nan" not in text.lower()
    assert f"{result['dice']['per_class']['Front']:.3f}" in text
    assert f"{100 * result['regions']['UC']['error_rate']:.2f} %" in text
    lines = text.splitlines()
    header = next(line for line in lines if line.startswith("structure"))
    front = next(line for line in lines if line.startswith("Front"))
    assert len(header) == len(front)
    text.encode("ascii")


def test_truth_is_found_by_the_name_of_the_case(made, tmp_path):
    items = [made("a"), made("b")]
    predictions = {item.case: item.prediction for item in items}
    predictions["c"] = PredictionPaths.at(tmp_path / "predictions" / "c")
    pairs, missing = pair_with_truth(predictions, tmp_path / "truth")
    assert [pair.case for pair in pairs] == ["a", "b"] and missing == ["c"]
    assert pairs[0].truth == items[0].truth


def test_two_annotations_of_one_case_are_refused(made, tmp_path):
    item = made("a")
    sitk.WriteImage(sitk.ReadImage(str(item.truth)), str(tmp_path / "truth" / "a.nrrd"))
    with pytest.raises(MetaSSLError, match="two annotations of the case a"):
        pair_with_truth({"a": item.prediction}, tmp_path / "truth")


def test_a_folder_of_truth_that_is_not_there_is_said(tmp_path):
    with pytest.raises(MetaSSLError, match="cannot read the folder"):
        pair_with_truth({}, tmp_path / "nowhere")
