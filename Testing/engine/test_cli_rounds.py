"""Rounds in figures, and the choice of one."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from machine import slowness
from metassl.cli import main
from metassl.files import MetaSSLError, write_json
from metassl.jobs import JobRecord, JobStatus, JobWriter, StatusFold, read_events, status_of_events
from metassl.jobs.round_summary import round_summaries, summarise_round
from metassl.project.round_choice import model_round

DICE = {"mean": 0.75, "per_class": {"Front": 0.7, "Back": 0.8}}


def finish(project, dice: dict | None = DICE, labels: int = 2, parent: int | None = None):
    """A round as a finished training leaves it."""
    used = {f"case_{number}": "a" * 64 for number in range(labels)}
    found = project.new_round({"config": {}, "labels": used, "parent": parent, "launcher": "local"})
    events = JobWriter(found, every_s=0.0)
    events.write("started", device="cpu", device_name="CPU (2 cores)")
    if dice is not None:
        events.write("validation", step=1, dice={"mean": 0.1, "per_class": {}})
        events.write("validation", step=9, dice=dice)
    events.write("finished", seconds=1.0)
    found.model_path.write_bytes(b"a model")
    return found


def predict(found, *cases: str) -> None:
    for case in cases:
        paths = found.prediction(case)
        paths.folder.mkdir(parents=True)
        write_json(paths.summary, {"case": case})


def run(capsys, *words: object) -> dict:
    capsys.readouterr()
    assert main([str(word) for word in (*words, "--json")]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_finished_round_is_summed_up(tiny_project):
    found = finish(tiny_project, labels=2)
    predict(found, "case_3", "case_4")
    (summary,) = round_summaries(tiny_project)
    assert (summary.number, summary.state, summary.labels, summary.predicted) == (1, "finished", 2, 2)
    assert (summary.dice, summary.dice_per_structure) == (0.75, {"Front": 0.7, "Back": 0.8})
    assert (summary.device, summary.has_model, summary.error_rates) == ("CPU (2 cores)", True, False)


def test_a_round_whose_process_died_is_interrupted(tiny_project):
    found = tiny_project.new_round({"config": {}, "labels": {}})
    JobWriter(found, every_s=0.0).write("started", device="cpu")
    JobRecord("local", 2**22 + 1, "long ago", JobRecord.of(os.getpid()).host).write(found.job_path)
    assert summarise_round(found).state == "interrupted"
    JobRecord.of(os.getpid()).write(found.job_path)
    assert summarise_round(found).state == "running"


def test_a_damaged_record_is_told_and_the_other_rounds_are_listed(tiny_project):
    finish(tiny_project)
    damaged = finish(tiny_project)
    damaged.record_path.write_text("{", encoding="utf-8")
    first, second = round_summaries(tiny_project)
    assert first.state == "finished"
    assert second.state == "failed" and "damaged" in second.message


def test_a_round_without_events_has_only_been_made(tiny_project):
    assert summarise_round(tiny_project.new_round({"config": {}, "labels": {}})).state == "created"


def long_events(path, count: int) -> None:
    """A killed run and a resumed one, ten minutes each, with `count` lines in all and a torn last one."""
    begin = datetime(2025, 1, 1, tzinfo=UTC)
    lines = []

    def add(event: str, after_s: float, **fields) -> None:
        time = (begin + timedelta(seconds=after_s)).isoformat()
        lines.append(json.dumps({"seq": len(lines) + 1, "time": time, "event": event, **fields}))

    add("started", 0, device="cuda", device_name="A GPU")
    for step in range(count // 2):
        add("progress", 600 * step / (count // 2), stage="training", step=step, loss={"total": 0.1})
    add("validation", 600, step=1, dice=DICE)
    add("started", 5000, device="cuda", device_name="A GPU")
    for step in range(count // 2):
        add("predicted", 5000 + 600 * step / (count // 2), case=f"case_{step}", uncertainty={"US": 0.1})
    add("finished", 5600, seconds=600)
    path.write_text("\n".join(lines) + '\n{"seq": 9, "event": "started"', encoding="utf-8")


def test_a_long_file_of_events_of_a_version_without_status_is_read_quickly_and_rightly(tiny_project):
    found = tiny_project.new_round({"config": {}, "labels": {}})
    long_events(found.events_path, 100_000)
    begin = time.process_time()
    summary = summarise_round(found)
    assert time.process_time() - begin < 4.0, "once, in a task"
    assert (summary.state, summary.device, summary.dice) == ("finished", "A GPU", 0.75)
    assert summary.seconds == pytest.approx(1200, abs=1)


def test_a_round_is_summed_up_by_its_status_in_moments_however_long_its_history(tiny_project):
    found = tiny_project.new_round({"config": {}, "labels": {}})
    long_events(found.events_path, 20_000)
    status_of_events(found.events_path).write(found.status_path)
    begin = time.thread_time()
    summary = summarise_round(found)
    assert time.thread_time() - begin < 0.1 * slowness()
    assert (summary.state, summary.device, summary.dice) == ("finished", "A GPU", 0.75)
    assert summary.seconds == pytest.approx(1200, abs=1)


def test_the_quick_way_to_a_status_comes_to_what_a_full_reading_does(tmp_path):
    path = tmp_path / "events.jsonl"
    long_events(path, 3000)
    text = path.read_text(encoding="utf-8").replace("\n", "\n\n", 50)
    path.write_text(text + '\nno json "event": "finished"\n\n', encoding="utf-8")
    quick, whole = status_of_events(path), StatusFold().update(read_events(path))
    assert replace(quick, elapsed_s=0.0) == replace(whole, elapsed_s=0.0)
    assert quick.elapsed_s == pytest.approx(whole.elapsed_s) and quick.predicted == 1500
    assert status_of_events(tmp_path / "nothing") == JobStatus()


def test_rounds_are_listed_for_people_and_programs(tiny_project, capsys):
    finish(tiny_project)
    assert main(["rounds", str(tiny_project.path)]) == 0
    text = capsys.readouterr().out
    assert "0001" in text and "0.750" in text and "CPU (2 cores)" in text
    assert "the next training starts from round 0001" in text
    told = run(capsys, "rounds", tiny_project.path)
    assert (told["shown"], told["start"], told["rounds"][0]["dice"]) == (None, 1, 0.75)


def test_a_project_without_rounds_says_train(tiny_project, capsys):
    assert main(["rounds", str(tiny_project.path)]) == 0
    assert f"metassl train {tiny_project.path}" in capsys.readouterr().out
    assert run(capsys, "rounds", tiny_project.path) == {"rounds": [], "shown": None, "start": None}


def test_an_older_round_is_chosen_and_the_choice_taken_back(tiny_project, capsys):
    first, second = finish(tiny_project), finish(tiny_project, parent=1)
    predict(first, "case_3")
    predict(second, "case_3")
    told = run(capsys, "rounds", tiny_project.path, "--use", 1)
    assert (told["shown"], told["start"]) == (1, 2)
    told = run(capsys, "rounds", tiny_project.path, "--from", 1)
    assert (told["shown"], told["start"]) == (1, 1)
    told = run(capsys, "rounds", tiny_project.path, "--newest")
    assert (told["shown"], told["start"]) == (None, 2)
    assert second.model_path.exists()


def test_the_chosen_round_is_the_one_that_is_measured_and_told(tiny_project, capsys):
    first, second = finish(tiny_project), finish(tiny_project, parent=1)
    predict(first, "case_3")
    predict(second, "case_3")
    assert model_round(tiny_project).number == 2
    for found, case in ((first, "case_4"), (second, "case_5")):
        write_json(found.ranking_path, {"strategy": "random", "cases": [{"case": case, "score": 1.0, "reason": "x"}]})
    run(capsys, "rounds", tiny_project.path, "--use", 1)
    assert model_round(tiny_project).number == 1
    told = run(capsys, "status", tiny_project.path)
    assert (told["next_case"]["case"], told["round"]["number"]) == ("case_4", 2)
    assert main(["status", str(tiny_project.path)]) == 0
    assert "round 0001, as chosen" in capsys.readouterr().out
    first.model_path.unlink()
    assert model_round(tiny_project).number == 2


def test_the_cases_are_listed_by_name(tiny_project, capsys):
    told = run(capsys, "status", tiny_project.path, "--cases")
    assert [entry["case"] for entry in told["case_list"]] == list(tiny_project.cases)
    assert main(["status", str(tiny_project.path), "--cases"]) == 0
    text = capsys.readouterr().out
    assert all(case in text for case in tiny_project.cases)
    with pytest.raises(MetaSSLError, match=r"no case 'cse_3'; is it case_3"):
        tiny_project.case("cse_3")


@pytest.mark.parametrize("option", ["--use", "--from"])
def test_a_round_that_cannot_be_used_is_refused_in_one_line(option, tiny_project, capsys):
    tiny_project.new_round({"config": {}, "labels": {}})
    for number in (1, 7):
        assert main(["rounds", str(tiny_project.path), option, str(number)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert f"round {number}" in line
    assert "shown_round" not in tiny_project.settings


def test_going_on_from_a_round_without_predictions_reviews_the_newest(tiny_project):
    from metassl.project.round_choice import review_round, train_on_from

    finish(tiny_project)
    train_on_from(tiny_project, 1)
    assert tiny_project.settings == {"start_round": 1}
    with pytest.raises(MetaSSLError, match="no predictions"):
        review_round(tiny_project, 1)
