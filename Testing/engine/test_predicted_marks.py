"""What a training has predicted is marked in cases.json: soon, at little cost, and whatever ends it."""

import time

import pytest
from in_process import trainings_in_this_process
from metassl.jobs.events import read_events
from metassl.jobs.start import start_training
from metassl.project import LabelDefinition, Project
from metassl.project.cases import Case
from metassl.training import predict as predicting
from metassl.training.predict import PredictedMarks
from metassl.training.worker import Job, run_training


@pytest.fixture
def in_this_process(monkeypatch):
    with trainings_in_this_process(monkeypatch):
        yield


@pytest.fixture
def writings(monkeypatch):
    """How many cases were marked each time."""
    counts, mark = [], Project.mark_predicted

    def counted(project, case_ids):
        counts.append(len(case_ids))
        return mark(project, case_ids)

    monkeypatch.setattr(Project, "mark_predicted", counted)
    return counts


def states(project) -> dict[str, str]:
    return {case.id: case.state for case in project.unlabelled_cases()}


def test_marking_takes_a_small_part_of_the_time_however_many_cases_there_are(tmp_path, writings):
    project = Project.create(tmp_path / "project", "Many", [LabelDefinition(1, "A")], ["MR"])
    project.add_cases(Case(f"case_{number}", [f"{number}.nii.gz"]) for number in range(1500))
    told = []

    def emit(event, case, uncertainty):
        assert event == "predicted" and project.case(case).state == "predicted", "told when it is marked, not before"
        told.append(case)

    marks = PredictedMarks(project, emit)
    marks.add("case_0", {})
    assert told == ["case_0"], "the first one at once: somebody waits for it"
    for number in range(1, 40):
        time.sleep(0.005)
        marks.add(f"case_{number}", {})
    marks.write()
    assert told == [f"case_{number}" for number in range(40)] and sum(writings) == 40
    assert len(writings) <= 8


def test_what_was_predicted_before_an_error_is_marked(tiny_project, in_this_process, monkeypatch):
    predicted, predict = [], predicting.predict_into

    def breaks_at_the_third(model, case_id, *others):
        predicted.append(case_id)
        if len(predicted) == 3:
            raise RuntimeError("a cable was pulled")
        return predict(model, case_id, *others)

    monkeypatch.setattr(predicting, "predict_into", breaks_at_the_third)
    monkeypatch.setattr(predicting, "MARKING_SHARE", 1e-9)  # the second one waits for the third
    with pytest.raises(RuntimeError, match="cable"):
        start_training(tiny_project, iterations=2, device="cpu")
    first, second, third = predicted
    assert states(tiny_project) == {first: "predicted", second: "predicted", third: "unlabelled"}


def test_what_a_killed_training_left_unmarked_is_marked_by_the_next_and_not_predicted_again(
    tiny_project, in_this_process
):
    found = start_training(tiny_project, iterations=2, device="cpu")
    forgotten, rejected, marked = sorted(states(tiny_project))
    tiny_project.update_case(forgotten, state="unlabelled")
    tiny_project.update_case(rejected, state="rejected")
    written = found.prediction(forgotten).summary.stat().st_mtime_ns
    events = []
    run_training(Job(tiny_project, found, lambda event, **fields: events.append((event, fields.get("case")))))
    assert states(tiny_project) == {forgotten: "predicted", rejected: "rejected", marked: "predicted"}
    assert [case for event, case in events if event == "predicted"] == [forgotten]
    assert found.prediction(forgotten).summary.stat().st_mtime_ns == written
    uncertainties = [event.uncertainty for event in read_events(found.events_path) if event.event == "predicted"]
    assert len(uncertainties) == 3 and all(uncertainties)
