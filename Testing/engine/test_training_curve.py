"""The curve of a training, the words for its failure and its options, as the panel has them."""

from __future__ import annotations

import inspect

import pytest
from metassl.files import ErrorCode
from metassl.jobs import (
    JobStatus,
)
from metassl.jobs.start import start_training
from MetaSSLSlicerLib.Logic.Training.TrainingAdvice import TrainingAdvice
from MetaSSLSlicerLib.Logic.Training.TrainingJob import Curve
from MetaSSLSlicerLib.Logic.Training.TrainingOptions import TrainingOptions


def test_a_curve_stays_small_and_keeps_its_ends():
    curve = Curve(limit=100)
    for step in range(1, 50_001):
        assert curve.add(step, 1.0 / step)
    points = curve.points
    assert len(points) <= 102 and points[0] == (1, 1.0) and points[-1][0] == 50_000
    gaps = [b[0] - a[0] for a, b in zip(points, points[1:-1], strict=False)]
    assert max(gaps) <= 4 * min(gaps)


def test_a_curve_that_steps_back_forgets_what_lay_beyond():
    curve = Curve()
    for step in (1, 2, 3, 4):
        curve.add(step, 0.5)
    curve.add(3, 0.4)
    assert curve.points == [(1, 0.5), (2, 0.5), (3, 0.4)]
    assert not curve.add(None, 0.1) and not curve.add(4, None) and not curve.add(4, float("nan"))


@pytest.mark.parametrize(
    ("code", "word", "advice"),
    [
        (ErrorCode.NOTHING_LABELLED, "no case is labelled", "Annotate one"),
        (ErrorCode.MISSING_PACKAGE, "not installed", "Setup"),
        (ErrorCode.NO_DEVICE, "graphics card", "Automatic"),
        (ErrorCode.OUT_OF_MEMORY, "memory", "Close other programs"),
        (ErrorCode.DISK_FULL, "disk is full", "Make room"),
        (ErrorCode.NO_ACCESS, "Something odd.", "may write"),
        (ErrorCode.BUSY, "trained already", "Wait"),
        (ErrorCode.NOT_FINITE, "Something odd.", "images and labels"),
        (ErrorCode.OTHER, "Something odd.", "log"),
    ],
)
def test_a_failure_is_told_in_the_users_words(code, word, advice):
    found = TrainingAdvice.of(JobStatus(state="failed", code=code.value, message="something odd"))
    assert word in found.text and advice in found.whatToDo and "metassl" not in found.whatToDo


def test_options_are_handed_on_as_the_start_of_a_training_takes_them():
    usual = {"minutes": 4.0, "iterations": None, "framework": "cps", "loss": "metassl", "device": "auto"}
    usual |= {"quality": "fast", "predict": None, "plan": "auto", "pieces": "auto", "launcher": "local"}
    assert TrainingOptions().asked() == {**usual, "new_round": False}
    assert TrainingOptions("good", predict=20).asked() == {
        **usual,
        "quality": "good",
        "minutes": 15.0,
        "predict": 20,
        "new_round": False,
    }
    asked = TrainingOptions(iterations=9, newRound=True).asked()
    assert (asked["minutes"], asked["iterations"], asked["new_round"]) == (None, 9, True)
    assert asked.keys() <= inspect.signature(start_training).parameters.keys()
