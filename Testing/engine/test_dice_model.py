"""The predicted Dice of a case: features, the fitted line, its interval, and how it is judged."""

import numpy as np
import pytest
import torch
from metassl.evaluation.dice_model import (
    LEAST_CASES,
    OF_P_ERROR,
    MeasuredCase,
    dice_agreement,
    fit_dice_model,
    predict_dice,
    spearman,
)
from metassl.inference.case_statistics import DiceFeatures, expected_dice
from metassl.project.structures import LabelDefinition


def cases(count: int, seed: int = 0, noise: float = 0.01) -> list[MeasuredCase]:
    """Dice is the stability less 0.05, or less 0.1, and some noise."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        stability, agreement = random.uniform(0.7, 0.95, 2), random.uniform(0.8, 1.0, 2)
        dice = stability - [0.05, 0.1] + random.normal(0, noise, 2)
        names = ("Front", "Back")
        figures = [{"stability": s, "agreement": a} for s, a in zip(stability, agreement, strict=True)]
        made.append(MeasuredCase(dict(zip(names, figures, strict=True)), dict(zip(names, dice, strict=True))))
    return made


def test_nothing_is_predicted_before_enough_cases_were_measured():
    assert fit_dice_model(cases(LEAST_CASES - 1)) is None
    assert fit_dice_model(cases(LEAST_CASES)) is not None


def test_new_cases_are_predicted_and_the_interval_holds_as_often_as_it_says():
    model = fit_dice_model(cases(30))
    assert model["level"] == 0.9 and model["cases"] == 30
    pairs = [(predict_dice(model, case.features), float(np.mean(list(case.dice.values())))) for case in cases(300, 1)]
    judged = dice_agreement(pairs)
    assert judged["spearman"] > 0.97 and judged["mean_error"] < 0.01
    assert judged["coverage"] == pytest.approx(0.9, abs=0.08)
    found = pairs[0][0]
    assert found.interval[0] < found.mean < found.interval[1]
    assert found.classes.keys() == {"Front", "Back"}


def test_few_cases_claim_less_and_change_little_more_than_the_level():
    model = fit_dice_model(cases(5))
    assert model["level"] == pytest.approx(5 / 6)
    assert model["slopes"]["stability"] == pytest.approx(1, abs=0.1)


def test_errors_with_these_probabilities_give_the_expected_dice_on_average():
    random = np.random.default_rng(0)
    foreground = np.arange(4000) < 1500
    near, probability = np.arange(4000) < 3000, random.uniform(0, 0.5, 4000)
    found = []
    for _ in range(50):
        wrong = (random.uniform(size=4000) < probability) & near
        truth = foreground ^ wrong
        found.append(2 * (truth & foreground).sum() / (truth.sum() + foreground.sum()))
    assert expected_dice(probability, foreground, near) == pytest.approx(np.mean(found), abs=0.003)
    assert expected_dice(probability, near & False, near) is None


def test_a_line_in_the_expected_dice_keeps_its_slope_near_one_with_few_cases():
    random = np.random.default_rng(0)
    measured = []
    for _ in range(8):
        expected = random.uniform(0.7, 0.9)
        dice = {"Front": expected + random.normal(0, 0.05), "Back": expected - 0.1 + random.normal(0, 0.05)}
        measured.append(MeasuredCase({name: {"expected": expected} for name in dice}, dice))
    model = fit_dice_model(measured, OF_P_ERROR)
    assert model["slopes"]["expected"] == pytest.approx(1, abs=0.1)
    low, high = (predict_dice(model, {n: {"expected": e} for n in ("Front", "Back")}).mean for e in (0.7, 0.8))
    assert high - low == pytest.approx(0.1, abs=0.01)
    assert predict_dice(model, {"Front": {"stability": 0.8, "agreement": 0.9}}) is None


def test_the_interval_is_of_cases_taken_as_new_and_the_line_is_not():
    random = np.random.default_rng(0)

    def case(spread: float) -> MeasuredCase:
        dice = random.uniform(0.7, 0.9)
        own, new = ({"Front": {"expected": dice + random.normal(0, each)}} for each in (0.001, spread))
        return MeasuredCase(own, {"Front": dice}, new)

    measured = [case(0.05) for _ in range(30)]
    model = fit_dice_model(measured, OF_P_ERROR)
    pairs = [(predict_dice(model, new.features_as_new), new.dice["Front"]) for new in (case(0.05) for _ in range(300))]
    assert dice_agreement(pairs)["coverage"] == pytest.approx(0.9, abs=0.08)
    fitted = fit_dice_model([MeasuredCase(each.features, each.dice) for each in measured], OF_P_ERROR)
    assert fitted["interval"]["mean"] < model["interval"]["mean"] / 10
    assert {**fitted, "interval": None} == {**model, "interval": None}


def test_a_structure_that_is_not_predicted_is_left_out():
    model = fit_dice_model(cases(8))
    features = {**cases(1)[0].features, "Back": {"stability": None, "agreement": None}}
    assert predict_dice(model, features).classes.keys() == {"Front"}
    assert predict_dice(model, {}) is None


def test_cases_without_a_true_dice_are_passed_over():
    measured = [*cases(6), MeasuredCase(cases(1)[0].features, {"Front": None, "Back": None})]
    assert fit_dice_model(measured)["cases"] == 6


def test_features_count_both_thresholds_and_both_networks():
    first = torch.tensor([[0.1, 0.3, 0.6, 0.9], [0.9, 0.7, 0.4, 0.1]])[:, None, None]
    second = torch.tensor([[0.1, 0.3, 0.4, 0.9], [0.9, 0.7, 0.6, 0.1]])[:, None, None]
    features = DiceFeatures([0, 5, 7])
    three = [torch.cat([part, torch.zeros(1, 1, 1, 4)]) for part in (first, second)]
    features.add(*three)
    features.add(*three)
    found = features.summary([LabelDefinition(5, "A"), LabelDefinition(7, "B")])
    assert found["A"]["agreement"] == pytest.approx(4 / 5)
    assert found["A"]["stability"] == pytest.approx(2 * 1 / (1 + 3), abs=0.5)
    assert found["B"] == {"stability": None, "agreement": None, "expected": None}
    assert features.summary([LabelDefinition(5, "A")], 0.75)["A"]["expected"] == 0.75


def test_rank_correlation_of_ties_and_of_what_does_not_vary():
    assert spearman(np.array([1, 2, 3]), np.array([10, 20, 90])) == pytest.approx(1)
    assert spearman(np.array([1, 1, 2]), np.array([3, 3, 1])) == pytest.approx(-1)
    assert np.isnan(spearman(np.ones(3), np.arange(3)))
    assert dice_agreement([({"mean": 1.0, "interval": [0, 1], "level": 0.9}, 0.5)] * 2) is None
