"""What a round measures of itself, where it is kept, and where it is shown."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from metassl.cli import main
from metassl.evaluation import dice_model
from metassl.evaluation.report import write_report
from metassl.inference import error_fit, error_model
from metassl.inference.error_fit import checked_error_model
from metassl.inference.measured import measured_error_rates
from metassl.inference.model import TrainedModel
from metassl.inference.predict import predict_project
from metassl.networks.unet import build_network
from metassl.project import Project, Round, new_project, read_json, write_json

REGIONS = ["UC", "US", "DC", "DS"]


@pytest.fixture
def project(tmp_path, decathlon) -> Project:
    """One labelled case, three for validation, two without a label."""
    made, _ = new_project(tmp_path / "project", decathlon, labelled=1, validation=3)
    return made


@pytest.fixture
def model(tiny_plan) -> TrainedModel:
    torch.manual_seed(0)
    plan = tiny_plan()
    networks = (build_network(plan).eval(), build_network(plan).eval())
    return TrainedModel(networks, plan, torch.full((2, 3), 0.45), [0, 1, 2], "cps", 7, torch.device("cpu"))


@pytest.fixture(autouse=True)
def short_training(monkeypatch):
    monkeypatch.setattr(error_model, "ITERATIONS", 40)


def new_round(project: Project, model: TrainedModel) -> Round:
    found = project.new_round({"labels": {}, "config": {}, "versions": {}})
    model.save(found.model_path)
    return found


def measure(project: Project, found: Round, model: TrainedModel) -> dict:
    measured = measured_error_rates(project, found, model)
    write_json(found.path / "error_rates.json", measured)
    return measured


def test_a_round_without_anything_to_measure_on_measures_nothing(tmp_path, decathlon, model):
    project, _ = new_project(tmp_path / "none", decathlon, labelled=2)
    assert measured_error_rates(project, new_round(project, model), model) is None


def test_validation_cases_give_rates_per_region_and_class_and_the_uncertainty(project, model):
    measured = measure(project, new_round(project, model), model)
    assert (measured["validation_cases"], measured["corrected_cases"]) == (3, 0)
    assert list(measured["rates"]) == REGIONS
    assert list(measured["class_rates"]) == ["Background", "Front", "Back"]
    assert sum(row["share_of_volume"] for row in measured["band"]["regions"].values()) == pytest.approx(1)
    assert measured["uncertainty"]["auroc"] is not None and measured["error_model"]["cases"] == 3
    assert measured["dice_model"] is None


def test_corrections_of_earlier_predictions_count_and_untouched_confident_parts_do_not(project, model, decathlon):
    found = new_round(project, model)
    measure(project, found, model)
    predict_project(project, device="cpu")
    first, second = [case.id for case in project.unlabelled_cases()]
    assert main(["label", str(project.path), first, str(decathlon / "labelsTr" / f"{first}.nii.gz")]) == 0
    assert measured_error_rates(project, found, model)["corrected_cases"] == 0, "the round's own prediction is later"
    later = new_round(project, model)
    measured = measure(project, later, model)
    assert (measured["validation_cases"], measured["corrected_cases"]) == (3, 1)


def test_a_prediction_carries_what_was_measured(project, model, monkeypatch):
    found = new_round(project, model)
    measure(project, found, model)
    predict_project(project, device="cpu")
    case = project.unlabelled_cases()[0].id
    summary = read_json(found.prediction(case).summary, "the summary")
    assert list(summary["error_rates"]) == REGIONS and list(summary["class_error_rates"]["Front"]) == REGIONS
    assert summary["predicted_dice"] is None, "three cases are too few"

    monkeypatch.setattr(dice_model, "LEAST_CASES", 3)
    measured = measure(project, found, model)
    predict_project(project, device="cpu")
    predicted = read_json(found.prediction(case).summary, "the summary")["predicted_dice"]
    if measured["dice_model"] is None:  # a random network may predict no structure at all
        pytest.skip("nothing was segmented")
    low, high = predicted["interval"]
    assert 0 <= low <= predicted["mean"] <= high <= 1 and predicted["level"] == 0.75


def test_the_learnt_error_probability_is_kept_with_the_model_and_written_beside_the_maps(project, model, monkeypatch):
    monkeypatch.setattr(error_fit, "LEAST_GAIN", -1.0)
    found = new_round(project, model)
    measured = measure(project, found, model)
    assert measured["error_model"]["kept"] and measured["dice_model"] is None
    assert TrainedModel.load(found.model_path, torch.device("cpu")).error_model is not None
    done = predict_project(project, device="cpu")
    assert all(paths.error_probability.is_file() for _, paths in done)
    for _, paths in done:
        figures = read_json(paths.summary, "the summary")["dice_features"].values()
        assert all(0 < each["expected"] < 1 for each in figures if each["agreement"] is not None)
    monkeypatch.setattr(dice_model, "LEAST_CASES", 2)
    assert measure(project, found, model)["dice_model"]["slopes"].keys() == {"expected"}
    monkeypatch.setattr(error_fit, "LEAST_GAIN", 2.0)
    assert checked_error_model([], model.plan) == (None, None)


def test_rank_evaluate_and_report_show_the_expected_dice_once_there_is_a_model(project, model, decathlon, capsys):
    found = new_round(project, model)
    measured = measure(project, found, model)
    predict_project(project, device="cpu")
    assert main(["rank", str(project.path)]) == 0
    assert "expected Dice" not in capsys.readouterr().out
    assert "expected Dice" not in page(project, found)

    measured["dice_model"] = fitted()
    write_json(found.path / "error_rates.json", {k: v for k, v in measured.items() if k != "schema_version"})
    for case in project.unlabelled_cases():
        path = found.prediction(case.id).summary
        summary = read_json(path, "the summary")
        summary["predicted_dice"] = {"mean": 0.8, "interval": [0.7, 0.9], "level": 0.9, "classes": {}}
        write_json(path, {k: v for k, v in summary.items() if k != "schema_version"})
    assert main(["rank", str(project.path)]) == 0
    assert "0.80 (0.70 to 0.90)" in capsys.readouterr().out
    text = page(project, found)
    assert "Expected Dice" in text and "How far the map can be believed" in text and "Share of its errors" in text
    assert main(["evaluate", str(project.path), "--truth", str(decathlon / "labelsTr"), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["predicted_dice"] is None, "two cases with a prediction of their Dice are too few"
    assert result["cases"]["case_4"]["predicted_dice"]["mean"] == 0.8


def fitted() -> dict:
    rows = [{"stability": s, "agreement": 0.9} for s in np.linspace(0.7, 0.9, 6)]
    measured = [dice_model.MeasuredCase({"Front": row}, {"Front": row["stability"]}) for row in rows]
    return dice_model.fit_dice_model(measured)


def page(project: Project, found: Round) -> str:
    written = write_report(project, found, found.path / "report.html", pictures=False)
    return written.read_text(encoding="utf-8")
