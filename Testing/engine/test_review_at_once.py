"""Whoever reviews need not wait for the last case, and no image is looked at twice."""

from __future__ import annotations

import pytest
import torch
from in_process import trainings_in_this_process
from metassl.inference import one_pass
from metassl.inference.predict import predict_project
from metassl.jobs.events import read_events
from metassl.jobs.liveness import job_status
from metassl.jobs.lock import TrainingLock
from metassl.jobs.start import ask_to_give_way, start_training
from metassl.project.round_files import read_ranking
from metassl.project.rounds import Round
from metassl.training import calibrate as calibrating
from metassl.training import predict as predicting
from metassl.training import screening, worker
from metassl.training.passes import Passes


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
    looks, predict_pair = [], one_pass.predict_pair

    def looked(*given, **named):
        looks.append(given)
        return predict_pair(*given, **named)

    monkeypatch.setattr(one_pass, "predict_pair", looked)
    with trainings_in_this_process(monkeypatch):
        found = start_training(tiny_project, iterations=2, device="cpu")
    assert len(found.predicted_cases()) == 3 and len(looks) == 4, "the validation case among them"


@pytest.mark.parametrize(("voxels", "cases"), [(10, 3), (10**9, 5)])
def test_large_images_calibrate_in_few(voxels, cases, monkeypatch):
    taken = []
    monkeypatch.setattr(calibrating, "CALIBRATION_VOXELS", voxels)
    monkeypatch.setattr(calibrating, "_softmaxes", lambda job, trained, chosen, *kept: taken.extend(chosen))
    monkeypatch.setattr(calibrating, "choose_operating_point", lambda *given: None)
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


@pytest.fixture
def ranked_by_name(monkeypatch):
    """What a quick look makes of the cases: they come in the order of their names."""

    def by_name(candidates, found, strategy):
        return sorted(candidates, key=lambda each: each.case)

    monkeypatch.setattr(screening, "ordered", by_name)


def predicted_in_order(found):
    return [event.case for event in read_events(found.events_path) if event.event == "predicted"]


def test_what_a_quick_look_ranks_first_is_predicted_first(tiny_project, monkeypatch):
    monkeypatch.setattr(calibrating, "CALIBRATION_CASES", 1)
    monkeypatch.setattr(
        screening, "ordered", lambda candidates, *_: sorted(candidates, key=lambda each: each.case)[::-1]
    )
    with trainings_in_this_process(monkeypatch):
        found = start_training(tiny_project, iterations=2, device="cpu")
    assert predicted_in_order(found) == ["case_5", "case_4", "case_3"]


def test_cases_that_nobody_had_time_to_look_at_come_after_those_that_were(tiny_project, monkeypatch):
    monkeypatch.setattr(calibrating, "CALIBRATION_CASES", 1)
    monkeypatch.setattr(predicting, "FIRST_SECONDS", 0)
    monkeypatch.setattr(predicting, "SHARE", 0)
    with trainings_in_this_process(monkeypatch):
        found = start_training(tiny_project, iterations=2, device="cpu")
    assert predicted_in_order(found) == ["case_3", "case_4", "case_5"], "calibration has looked at the first"


def test_nothing_is_looked_at_for_nothing_where_there_is_no_room_to_keep_it(tiny_project, monkeypatch):
    monkeypatch.setattr(calibrating, "CALIBRATION_CASES", 1)
    monkeypatch.setattr(worker, "Passes", lambda: Passes(kept_bytes=0))
    looks, fitting_pass = [], screening.fitting_pass
    monkeypatch.setattr(screening, "fitting_pass", lambda *given: looks.append(given) or fitting_pass(*given))
    with trainings_in_this_process(monkeypatch):
        found = start_training(tiny_project, iterations=2, device="cpu")
    assert not looks and len(found.predicted_cases()) == 3


def test_no_more_cases_are_looked_at_than_are_needed_to_choose_among(tiny_project, monkeypatch):
    monkeypatch.setattr(calibrating, "CALIBRATION_CASES", 1)
    monkeypatch.setattr(screening, "AHEAD", 1)
    waiting, go_on = [], screening.Screening.go_on

    def looked(self, seconds):
        go_on(self, seconds)
        waiting.append(len(self._seen))

    monkeypatch.setattr(screening.Screening, "go_on", looked)
    with trainings_in_this_process(monkeypatch):
        found = start_training(tiny_project, iterations=2, device="cpu")
    assert waiting == [1, 1, 1] and len(found.predicted_cases()) == 3


def test_only_the_next_cases_are_predicted_where_that_is_asked_for(tiny_project, monkeypatch):
    with trainings_in_this_process(monkeypatch):
        found = start_training(tiny_project, iterations=2, device="cpu", predict=1)
        assert len(found.predicted_cases()) == 1 == len(read_ranking(found).cases)
        status = job_status(found)
    assert status.state == "finished" and "2 cases are not predicted yet" in status.warnings[-1]
    (first,) = found.predicted_cases()
    rest = predict_project(tiny_project, device="cpu")
    assert sorted([first, *(case for case, _ in rest)]) == ["case_3", "case_4", "case_5"]


def test_a_case_that_somebody_opens_is_predicted_before_the_others(tiny_project, monkeypatch, ranked_by_name):
    predicted, predict = [], predicting.predict_into

    def opened_meanwhile(model, case_id, *others):
        predicted.append(case_id)
        tiny_project.round(1).want("case_5")
        return predict(model, case_id, *others)

    monkeypatch.setattr(predicting, "predict_into", opened_meanwhile)
    with trainings_in_this_process(monkeypatch):
        found = start_training(tiny_project, iterations=2, device="cpu")
    assert predicted == ["case_3", "case_5", "case_4"]
    assert Round(found.path).wanted() == "case_5"


def test_predicting_gives_way_to_the_next_training_where_there_are_new_labels(
    tiny_project, monkeypatch, ranked_by_name
):
    monkeypatch.setattr(calibrating, "CALIBRATION_CASES", 1)
    asked, predict = [], predicting.predict_into

    def another_waits(model, case_id, *others):
        if case_id == "case_4" and not asked:
            TrainingLock(tiny_project.path).acquire("round 0001")  # as the worker's process does
            asked.append(ask_to_give_way(tiny_project))
            tiny_project.add_label("case_3", tiny_project.read_label("case_0"))
            asked.append(ask_to_give_way(tiny_project))
        return predict(model, case_id, *others)

    monkeypatch.setattr(predicting, "predict_into", another_waits)
    with trainings_in_this_process(monkeypatch):
        first = start_training(tiny_project, iterations=2, device="cpu")
        assert asked == [False, True], "not where there is nothing new to learn from"
        assert job_status(first).state == "finished" and first.predicted_cases() == ["case_3", "case_4"]
        assert [entry.case for entry in read_ranking(first).cases] == ["case_4"]
        second = start_training(tiny_project, iterations=2, device="cpu")
    assert second.number == 2 and second.predicted_cases() == ["case_4", "case_5"]
