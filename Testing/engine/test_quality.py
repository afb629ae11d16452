"""What a quality changes between rounds is said, and the time that is announced holds what is waited for."""

from dataclasses import replace

import pytest
from in_process import trainings_in_this_process
from metassl.choices.quality import QUALITIES
from metassl.data import plan
from metassl.files.errors import ProjectError
from metassl.files.json_files import read_json
from metassl.jobs.liveness import job_status
from metassl.jobs.start import start_training
from metassl.training import train


def spacing(found):
    return read_json(found.plan_path, "the plan")["spacing_zyx"]


def test_a_round_of_another_quality_sees_images_anew_and_says_so(tiny_project, monkeypatch):
    monkeypatch.setitem(QUALITIES, "fast", replace(QUALITIES["fast"], image_patches=0.01))
    monkeypatch.setattr(plan, "LEAST_ACROSS", 0)
    with trainings_in_this_process(monkeypatch):
        coarse, same, fine = (
            start_training(tiny_project, iterations=1, device="cpu", predict=1, quality=quality)
            for quality in ("fast", None, "good")
        )
    assert spacing(coarse) == spacing(same) and spacing(fine) != spacing(coarse)
    assert not [text for text in job_status(same).warnings if "seen at" in text or "afresh" in text]
    assert [text for text in job_status(fine).warnings if "images are seen at" in text or "starting afresh" in text]


def test_an_unknown_quality_is_refused_by_name(tiny_project):
    with pytest.raises(ProjectError, match="fast, good, best"):
        start_training(tiny_project, quality="perfect")


def test_a_quality_has_a_length_of_its_own_unless_another_is_given(tiny_project, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("metassl.jobs.start.launch_round", lambda project, choose, *given: choose())
        found = start_training(tiny_project, quality="good")
        assert (found.record["config"]["minutes"], found.record["config"]["quality"]) == (15.0, "good")
        found = start_training(tiny_project, quality="best", minutes=7, new_round=True)
        assert (found.record["config"]["minutes"], found.record["config"]["quality"]) == (7, "best")


def test_what_a_round_that_would_go_on_has_is_told_as_it_was_meant(tiny_project, monkeypatch):
    monkeypatch.setattr("metassl.jobs.start.launch_round", lambda project, choose, *given: choose())
    start_training(tiny_project)
    told = r"--framework mt \(it has cps\), --iterations 5 \(it has none\), --predict 3 \(it has all\): leave"
    with pytest.raises(ProjectError, match=told):
        start_training(tiny_project, framework="mt", iterations=5, predict=3)


def test_the_time_that_is_asked_for_includes_what_comes_before_the_first_review(tiny_project, monkeypatch):
    budgets, budget = [], train.Budget
    monkeypatch.setattr(train, "Budget", lambda *given: budgets.append(given) or budget(1, None))
    monkeypatch.setattr(train, "pass_seconds", lambda *given: 2.0)
    with trainings_in_this_process(monkeypatch):
        start_training(tiny_project, minutes=1, device="cpu", predict=1)
    ((steps, seconds),) = budgets
    passes = 3 + len(tiny_project.validation_cases())  # of calibration, and of what is measured
    assert steps is None and 60 - 2 * passes - 3 < seconds <= 60 - 2 * passes - train.RESERVED_SECONDS
