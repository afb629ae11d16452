"""What a round measures of itself, where it is kept, and where it is shown."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from metassl.cli import main
from metassl.evaluation import dice_model
from metassl.evaluation.report.write import write_report
from metassl.files import read_json, write_json
from metassl.inference import error_model
from metassl.inference import error_model as error_fit
from metassl.inference import measured as measured_module
from metassl.inference.error_model import checked_error_model
from metassl.inference.measured import measured_error_rates
from metassl.inference.model import TrainedModel
from metassl.inference.predict import predict_project
from metassl.intake import new_project
from metassl.networks.unet import build_network
from metassl.project import Project, Round
from metassl.project.records import ErrorRates
from metassl.training.calibrate import learnt_before
from metassl.training.job import Job

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


def new_round(project: Project, model: TrainedModel, **record) -> Round:
    found = project.new_round({"labels": {}, "config": {}, "versions": {}, **record})
    model.save(found.model_path)
    return found


def measure(project: Project, found: Round, model: TrainedModel) -> ErrorRates:
    measured = measured_error_rates(project, found, model)
    write_json(found.path / "error_rates.json", measured.to_json())
    return measured


def test_a_round_without_anything_to_measure_on_measures_nothing(tmp_path, decathlon, model):
    project, _ = new_project(tmp_path / "none", decathlon, labelled=2)
    assert measured_error_rates(project, new_round(project, model), model) is None


def test_validation_cases_give_rates_per_region_and_class_and_the_uncertainty(project, model):
    measured = measure(project, new_round(project, model), model)
    assert (measured.validation_cases, measured.corrected_cases) == (3, 0)
    assert list(measured.rates) == REGIONS
    assert list(measured.class_rates) == ["Background", "Front", "Back"]
    assert sum(row["share_of_volume"] for row in measured.band["regions"].values()) == pytest.approx(1)
    assert measured.uncertainty["auroc"] is not None and measured.error_model["cases"] == 3
    assert measured.dice_model is None


def test_measuring_tells_how_far_it_is_and_ends_when_it_is_told_to(project, model):
    found, told = new_round(project, model), []
    measured_error_rates(project, found, model, lambda done, total: told.append((done, total)))
    assert told == [(step, 6) for step in range(1, 7)]

    def stop(done: int, total: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        measured_error_rates(project, found, model, stop)


def test_figures_that_cannot_be_kept_are_shown_all_the_same(project, model, decathlon, capsys):
    found = new_round(project, model)
    (found.path / "evaluation.json").mkdir()
    words = ["evaluate", project.path, "--truth", decathlon / "labelsTr", "--device", "cpu", "--json"]
    assert main([str(word) for word in words]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["n_cases"] == 2 and "shown here only: cannot write" in printed.err


def test_corrections_of_earlier_predictions_count_and_untouched_confident_parts_do_not(project, model, decathlon):
    found = new_round(project, model)
    measure(project, found, model)
    predict_project(project, device="cpu")
    first, second = [case.id for case in project.unlabelled_cases()]
    assert main(["label", str(project.path), first, str(decathlon / "labelsTr" / f"{first}.nii.gz")]) == 0
    assert measured_error_rates(project, found, model).corrected_cases == 0, "the round's own prediction is later"
    later = new_round(project, model)
    measured = measure(project, later, model)
    assert (measured.validation_cases, measured.corrected_cases) == (3, 1)


def test_a_prediction_of_a_model_that_was_trained_on_the_case_is_no_correction(project, model, decathlon):
    first, second = [case.id for case in project.unlabelled_cases()]
    known = {"labels": {first: "a" * 64}}
    for record in ({}, known, {"parent": 2}):  # the third goes on from the second, which knows the first case
        new_round(project, model, **record)
        predict_project(project, device="cpu")
    for case in (first, second):
        assert main(["label", str(project.path), case, str(decathlon / "labelsTr" / f"{case}.nii.gz")]) == 0
    last = new_round(project, model)
    assert measured_error_rates(project, last, model).corrected_cases == 2
    shutil.rmtree(project.round(1).prediction(first).folder)
    assert measured_error_rates(project, last, model).corrected_cases == 1


def test_a_model_that_is_calibrated_again_keeps_what_the_same_steps_had_learnt_of_its_errors(
    project, model, monkeypatch
):
    monkeypatch.setattr(error_fit, "LEAST_GAIN", -1.0)
    found = new_round(project, model)
    measured_error_rates(project, found, model)
    job = object.__new__(Job)
    job.round, job.device = found, torch.device("cpu")
    learnt = learnt_before(job, model.step)
    kept = model.error_model.state_dict()
    assert all(torch.equal(value, kept[name]) for name, value in learnt.state_dict().items())
    assert learnt_before(job, model.step + 1) is None
    monkeypatch.setattr(error_fit, "LEAST_GAIN", 1.0)  # now it is worth nothing
    measured_error_rates(project, found, model)
    assert learnt_before(job, model.step) is None


def test_the_interval_of_the_dice_is_of_cases_that_p_error_was_not_learnt_on(project, model, monkeypatch):
    monkeypatch.setattr(error_fit, "LEAST_GAIN", -1.0)
    taken = []
    monkeypatch.setattr(measured_module, "fit_dice_model", lambda cases, recipe: taken.extend(cases))
    found = new_round(project, model)
    measured_error_rates(project, found, model)
    assert len(taken) == 3
    for case in taken:
        own, new = (each["Front"]["expected"] for each in (case.features, case.features_as_new))
        assert 0 < own < 1 and 0 < new < 1 and own != new


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
    predict_project(project, [case], device="cpu")
    predicted = read_json(found.prediction(case).summary, "the summary")["predicted_dice"]
    if measured.dice_model is None:  # a random network may predict no structure at all
        pytest.skip("nothing was segmented")
    low, high = predicted["interval"]
    assert 0 <= low <= predicted["mean"] <= high <= 1 and predicted["level"] == 0.75


def test_the_learnt_error_probability_is_kept_with_the_model_and_written_beside_the_maps(project, model, monkeypatch):
    monkeypatch.setattr(error_fit, "LEAST_GAIN", -1.0)
    found = new_round(project, model)
    measured = measure(project, found, model)
    assert measured.error_model["kept"] and measured.dice_model is None
    assert TrainedModel.load(found.model_path, torch.device("cpu")).error_model is not None
    done = predict_project(project, device="cpu")
    assert all(paths.error_probability.is_file() for _, paths in done)
    for _, paths in done:
        figures = read_json(paths.summary, "the summary")["dice_features"].values()
        assert all(0 < each["expected"] < 1 for each in figures if each["agreement"] is not None)
    monkeypatch.setattr(dice_model, "LEAST_CASES", 2)
    assert measure(project, found, model).dice_model["slopes"].keys() == {"expected"}
    monkeypatch.setattr(error_fit, "LEAST_GAIN", 2.0)
    assert checked_error_model([], model.plan) == (None, None, [])


def test_rank_evaluate_and_report_show_the_expected_dice_once_there_is_a_model(project, model, decathlon, capsys):
    found = new_round(project, model)
    measured = measure(project, found, model)
    predict_project(project, device="cpu")
    assert main(["rank", str(project.path)]) == 0
    assert "expected Dice" not in capsys.readouterr().out
    assert "expected Dice" not in page(project, found)

    write_json(found.path / "error_rates.json", {**measured.to_json(), "dice_model": fitted()})
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


def test_what_was_learnt_on_the_validation_cases_is_not_judged_there(project, model, decathlon, monkeypatch, capsys):
    monkeypatch.setattr(error_fit, "LEAST_GAIN", -1.0)
    monkeypatch.setattr(dice_model, "LEAST_CASES", 2)
    found = new_round(project, model)
    measure(project, found, model)
    assert main(["evaluate", str(project.path), "--json"]) == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    validation = [case.id for case in project.validation_cases()]
    assert result["n_cases"] == 3 and result["fitted_on"] == validation
    assert result["predicted_dice"] is None and result["band"]["error_probability"] is None
    assert "not judged on 3 of these cases" in printed.err and "learnt P(error)" not in printed.err
    assert "not judged on 3 of these cases" in evaluated_page(project, found, result)

    everything = ["evaluate", str(project.path), "--truth", str(decathlon / "labelsTr"), "--cases", "all", "--json"]
    assert main(everything) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["n_cases"] == 6 and result["fitted_on"] == validation
    assert result["band"]["error_probability"] and result["predicted_dice"]["cases"] == 3


def test_cases_that_the_round_was_trained_on_are_not_evaluated(project, model, decathlon, tmp_path, capsys):
    known, new = project.labelled_cases()[0].id, project.unlabelled_cases()[0].id
    found = new_round(project, model, labels={known: "a" * 64})
    chosen = tmp_path / "chosen.txt"
    chosen.write_text(f"{known}\n{new}\n", encoding="utf-8")
    words = ["evaluate", str(project.path), "--truth", str(decathlon / "labelsTr"), "--json", "--cases", str(chosen)]
    assert main(words) == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert list(result["cases"]) == [new] and result["trained_on"] == [known]
    assert f"was trained on 1 of these cases, left out here: {known}" in printed.err
    assert "Left out: 1 case that the model was trained on" in evaluated_page(project, found, result)
    chosen.write_text(f"{known}\n", encoding="utf-8")
    assert main(words) == 2
    assert "was trained on all of these cases" in capsys.readouterr().err


def evaluated_page(project: Project, found: Round, evaluation: dict) -> str:
    written = write_report(project, found, found.path / "report.html", evaluation, pictures=False)
    return written.read_text(encoding="utf-8")


def fitted() -> dict:
    rows = [{"stability": s, "agreement": 0.9} for s in np.linspace(0.7, 0.9, 6)]
    measured = [dice_model.MeasuredCase({"Front": row}, {"Front": row["stability"]}) for row in rows]
    return dice_model.fit_dice_model(measured)


def page(project: Project, found: Round) -> str:
    written = write_report(project, found, found.path / "report.html", pictures=False)
    return written.read_text(encoding="utf-8")
