"""Validation while a round trains: what is told, and which model is kept as the best."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from framework_parts import CPU, cohort, fresh_framework, sampler
from metassl.data.streams import PreparedCase
from metassl.evaluation.metrics import dice
from metassl.inference.model import TrainedModel
from metassl.inference.sliding_window import predict_pair
from metassl.networks.checkpoint import load_checkpoint
from metassl.project import LabelDefinition
from metassl.training.eta import Budget
from metassl.training.loop import VALIDATION_SHARE, VALIDATIONS, Trainer
from metassl.training.watch import WATCHED_CASES, ValidationWatch

LABELS = [LabelDefinition(3, "Front"), LabelDefinition(7, "Back")]


@pytest.fixture
def watch(tiny_plan, tmp_path):
    """watch(framework, cases) with its `told` events."""

    def make(framework=None, cases=None) -> ValidationWatch:
        told = []
        framework = framework or fresh_framework("mt", tiny_plan())
        made = ValidationWatch(
            framework,
            tiny_plan(),
            cases or cohort(2),
            LABELS,
            CPU,
            tmp_path / "best.pt",
            lambda *_, **f: told.append(f),
        )
        made.told = told
        return made

    return make


def scored(subject: ValidationWatch, *scores: float) -> list[int | None]:
    """Step that best.pt holds after each of these mean Dice values."""
    kept = []
    for step, score in enumerate(scores, start=1):
        subject._softmaxes = lambda pair, rows, score=score: rows.fill(score) or iter(SOFTMAXES)
        subject(step)
        kept.append(load_checkpoint(subject.best_path)["step"] if subject.best_path.exists() else None)
    return kept


SOFTMAXES = [np.full((2, 3, 4, 4, 4), 1 / 3, np.float16)]


def test_it_tells_the_dice_of_the_mean_prediction_for_each_structure(watch, tiny_plan):
    cases = cohort(WATCHED_CASES + 2)
    subject = watch(cases=cases)
    subject(12)
    pair = tuple(network.eval() for network in subject.framework.inference_pair())
    table = np.array(
        [
            [dice(softmax.argmax(0) == value, case.label == value) for value in (1, 2)]
            for case in cases[:WATCHED_CASES]
            for softmax in [predict_pair(pair, case.image, tiny_plan(), CPU, overlap=0.25).mean(0)]
        ]
    )
    told = subject.told[0]
    assert (told["step"], told["cases"]) == (12, WATCHED_CASES)
    np.testing.assert_allclose(list(told["dice"]["per_class"].values()), table.mean(0))
    assert told["dice"]["mean"] == pytest.approx(table.mean())


def test_voxels_that_nobody_annotated_and_structures_that_are_not_there_do_not_count(watch):
    empty = PreparedCase("a", cohort(1)[0].image, np.full((20, 20, 20), 255, np.uint8))
    subject = watch(cases=[empty])
    subject(1)
    assert subject.told[0]["dice"] == {"mean": None, "per_class": {"Front": None, "Back": None}}
    assert not subject.best_path.exists()


def test_the_best_model_so_far_is_kept_and_no_later_equal_one(watch):
    assert scored(watch(), 0.2, 0.5, 0.4, 0.5, 0.6) == [1, 2, 2, 2, 5]


def test_the_best_survives_a_pause(watch):
    assert scored(watch(), 0.2, 0.5) == [1, 2]
    assert scored(watch(), 0.4, 0.45, 0.55) == [2, 2, 3]


def test_the_kept_model_loads_and_predicts_as_the_framework_did(watch, tiny_plan):
    framework = fresh_framework("supervised", tiny_plan())
    subject = watch(framework)
    subject(7)
    image = cohort(1)[0].image
    expected = predict_pair(tuple(network.eval() for network in framework.inference_pair()), image, tiny_plan(), CPU)
    with torch.no_grad():
        for parameter in framework.parameters():
            parameter.add_(1.0)  # the training goes on
    model = TrainedModel.load(subject.best_path, CPU)
    assert (model.step, model.framework, model.values) == (7, "supervised", [0, 3, 7])
    assert model.thresholds.shape[-1] == 3 and torch.isfinite(model.thresholds).all()
    assert np.array_equal(predict_pair(model.networks, image, model.plan, CPU), expected)


def training(tiny_plan, path, budget: Budget, validate) -> Trainer:
    return Trainer(
        fresh_framework("mt", tiny_plan()),
        sampler(tiny_plan()),
        budget,
        device=CPU,
        precision="fp32",
        seed=0,
        checkpoint_path=path / "last.pt",
        emit=lambda *_, **__: None,
        stop_requested=lambda: False,
        validate=validate,
    )


def test_a_training_validates_at_even_distances(tiny_plan, tmp_path):
    steps = []
    training(tiny_plan, tmp_path, Budget(iterations=16), steps.append).run()
    assert steps == list(range(2, 16, 2)) and len(steps) == VALIDATIONS - 1, "the last one is the finished model's"


def test_looking_takes_no_more_than_a_small_share_of_a_time_budget(tiny_plan, tmp_path):
    subject = training(tiny_plan, tmp_path, Budget(seconds=100, total=800), None)
    spent = []

    def look(step: int) -> None:
        subject.started -= 10.0  # as if it had taken 10 s
        spent.append(step)

    subject.validate, clock = look, subject.started
    subject._validate = Trainer._validate.__get__(subject)
    for step in range(100, 800, 100):
        subject.step = step
        subject.started = clock - step / 8  # 12.5 s of training from one to the next
        before = len(spent)
        subject._validate()
        subject._validated_s += 10.0 * (len(spent) - before)
    assert spent[0] == 100 and len(spent) == 1
    assert 10.0 > VALIDATION_SHARE * 87.5
