"""Whoever reviews need not wait for the last case, and no image is looked at twice."""

from __future__ import annotations

import pytest
import torch
from in_process import trainings_in_this_process
from metassl.inference import predictor
from metassl.jobs.events import read_events
from metassl.jobs.start import start_training
from metassl.project.round_files import read_ranking
from metassl.training import calibrate as calibrating
from metassl.training import worker


def test_there_is_a_ranking_when_the_first_case_is_predicted_and_it_grows(tiny_project, monkeypatch):
    seen, rank = [], worker.rank

    def looked(project, found, strategy):
        ranking = rank(project, found, strategy)
        seen.append([entry.case for entry in ranking.cases])
        return ranking

    monkeypatch.setattr(worker, "rank", looked)
    monkeypatch.setattr(calibrating, "CALIBRATION_CASES", 1)
    with trainings_in_this_process(monkeypatch):
        found = start_training(tiny_project, iterations=2, device="cpu")
    assert [len(cases) for cases in seen] == [1, 2, 3]
    assert sorted(entry.case for entry in read_ranking(found).cases) == ["case_3", "case_4", "case_5"]
    events = [event.event for event in read_events(found.events_path) if event.event in ("predicted", "ranked")]
    assert events[:2] == ["predicted", "ranked"]


def test_an_image_that_calibration_has_looked_at_is_not_looked_at_again(tiny_project, monkeypatch):
    def looked(*given):
        raise AssertionError("it was looked at again")

    monkeypatch.setattr(predictor, "predict_pair", looked)
    with trainings_in_this_process(monkeypatch):
        found = start_training(tiny_project, iterations=2, device="cpu")
    assert len(found.predicted_cases()) == 3


@pytest.mark.parametrize(("voxels", "cases"), [(10, 3), (10**9, 5)])
def test_large_images_calibrate_in_few(voxels, cases, monkeypatch):
    taken = []
    monkeypatch.setattr(calibrating, "CALIBRATION_VOXELS", voxels)
    monkeypatch.setattr(calibrating, "_softmaxes", lambda job, trained, chosen, kept: taken.extend(chosen))
    monkeypatch.setattr(calibrating, "calibrate_thresholds", lambda *given: (_ for _ in ()).throw(InterruptedError))

    class Image:
        image = torch.zeros(1, 4, 4, 4).numpy()

    class Inputs:
        unlabelled = [Image] * 5

    class Job:
        stop_requested, definition = False, "symmetric"

        @staticmethod
        def emit(*given, **named):
            pass

    with pytest.raises(InterruptedError):
        calibrating.calibrate(Job, (None, None, 0), Inputs, None)
    assert len(taken) == cases
