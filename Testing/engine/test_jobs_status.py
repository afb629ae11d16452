"""Events folded into a status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from metassl.files import write_json
from metassl.jobs import EventWriter, JobFollower, JobRecord, StatusFold, job_status
from metassl.project.rounds import make_round


def event(name: str, second: float = 0.0, **fields) -> dict:
    time = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
    return {"seq": 1, "time": time.isoformat(), "event": name, **fields}


def folded(*events: dict):
    return StatusFold().update(events)


@pytest.fixture
def a_round(tmp_path):
    return make_round(tmp_path / "rounds")


@pytest.fixture
def dead() -> JobRecord:
    """The record of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    record = JobRecord.of(process.pid)
    process.communicate()
    assert not record.alive()
    return record


def test_a_round_without_events_or_process_is_created(a_round):
    assert job_status(a_round).state == "created"


def test_a_stop_after_the_training_does_not_mix_its_steps_with_those_of_another_stage():
    fold = StatusFold()
    status = fold.update(
        [
            event("started", 1),
            event("stage", 2, stage="measuring", total=6),
            event("progress", 3, stage="measuring", step=2, total=6),
            event("paused", 4, step=1000),
        ]
    )
    assert (status.state, status.stage, status.total) == ("paused", "measuring", 0)


def test_progress_says_where_the_training_stands():
    status = folded(
        event("started", 0, device="cuda", device_name="A GPU", precision="bfloat16", pid=5),
        event("plan", 1, patch=[32, 32, 32], classes=3),
        event("stage", 2, stage="training", total=200),
        event("progress", 3, stage="training", step=10, total=200, eta_s=95.0, loss={"total": 1.5},
              regions={"UC": 0.9}, data_wait_share=0.02, memory_mb=512),
        event("validation", 4, step=10, dice={"mean": 0.8, "per_class": {"Front": 0.8}}, cases=4),
    )  # fmt: skip
    assert (status.state, status.stage, status.step, status.total) == (
        "running",
        "training",
        10,
        200,
    )
    assert (status.device, status.device_name, status.precision) == ("cuda", "A GPU", "bfloat16")
    assert (status.eta_s, status.data_wait_share, status.memory_mb) == (95.0, 0.02, 512)
    assert status.loss == {"total": 1.5} and status.regions == {"UC": 0.9}
    assert status.validation == {"step": 10, "dice": {"mean": 0.8, "per_class": {"Front": 0.8}}, "cases": 4}
    assert status.plan == {"patch": [32, 32, 32], "classes": 3} and status.elapsed_s == 4.0
    assert not status.is_over and json.loads(json.dumps(status.to_json()))["step"] == 10


def test_a_new_stage_starts_from_zero_and_predictions_count_as_its_steps():
    status = folded(
        event("started"),
        event("progress", stage="training", step=200, total=200, eta_s=0.0),
        event("stage", stage="predicting", total=3),
        event("predicted", case="a", uncertainty=0.1),
        event("case_failed", case="b", file="b.nii", reason="case b: it is truncated"),
        event("predicted", case="c", uncertainty=0.2),
    )
    assert (status.step, status.total, status.eta_s) == (2, 3, None)
    assert status.predicted == 2 and status.failed_cases == {"b": "case b: it is truncated"}


def test_a_case_predicted_again_counts_once_and_is_failed_no_more():
    status = folded(
        event("case_failed", case="a", reason="x"),
        event("predicted", case="a"),
        event("predicted", case="a"),
        event("ranked", count=1),
    )
    assert status.predicted == 1 and status.failed_cases == {} and status.ranked == 1


@pytest.mark.parametrize(
    ("last", "state"),
    [
        (event("paused", 9, step=40), "paused"),
        (event("finished", 9, seconds=9), "finished"),
        (event("failed", 9, message="out of memory", hint="use --device cpu"), "failed"),
    ],
)
def test_the_last_word_decides_the_state(last, state):
    status = folded(event("started"), event("progress", step=40, total=90, eta_s=5.0), last)
    assert status.state == state and status.is_over and status.eta_s is None and status.step == 40
    expected = ("out of memory", "use --device cpu") if state == "failed" else ("", "")
    assert (status.message, status.hint) == expected


def test_going_on_after_a_failure_forgets_the_failure_and_not_the_warnings():
    status = folded(
        event("started", 0),
        event("warning", 1, message="no GPU"),
        event("memory", 1, rung="batch", message="the batch was halved"),
        event("warning", 2, message="no GPU"),
        event("failed", 10, message="m", hint="h"),
        event("started", 1000),
        event("progress", 1005, step=3, total=9),
    )
    assert (status.state, status.message, status.hint) == ("running", "", "")
    assert status.warnings == ["no GPU", "the batch was halved"]
    assert status.elapsed_s == 15.0


def test_events_of_the_future_and_odd_fields_change_nothing():
    status = folded(event("started"), event("dance", step=7), {"seq": 2, "event": "progress"})
    assert status.state == "running" and status.step == 0


def test_a_follower_takes_in_events_as_they_come(a_round):
    follower = JobFollower(a_round)
    assert follower.poll()[0] == []
    JobRecord.of(os.getpid(), device="cpu").write(a_round.job_path)
    writer = EventWriter(a_round.events_path)
    writer.write("started", device="cpu")
    events, status = follower.poll()
    assert [e["event"] for e in events] == ["started"] and status.state == "running"
    writer.write("progress", step=1, total=2)
    writer.write("progress", step=2, total=2)
    events, status = follower.poll()
    assert [e["step"] for e in events] == [1, 2] and status.step == 2
    assert follower.poll()[0] == [] and follower.poll()[1].step == 2
    assert status.pid == os.getpid() and status.elapsed_s >= 0


def test_a_running_job_whose_process_is_gone_is_interrupted(a_round, dead):
    replace(dead, launched="2026").write(a_round.job_path)
    EventWriter(a_round.events_path).write("started")
    assert job_status(a_round).state == "interrupted"


def test_a_finished_job_whose_process_is_gone_stays_finished(a_round, dead):
    replace(dead, launched="2026").write(a_round.job_path)
    writer = EventWriter(a_round.events_path)
    writer.write("started")
    writer.write("finished")
    assert job_status(a_round).state == "finished"


def test_a_job_launched_again_is_running_before_its_first_event(a_round):
    EventWriter(a_round.events_path).write("paused", step=5)
    JobRecord.of(os.getpid()).write(a_round.job_path)
    record = JobRecord.read(a_round.job_path)
    replace(record, launched="9999-01-01").write(a_round.job_path)
    assert job_status(a_round).state == "running"


def test_a_job_launched_again_that_died_before_its_first_event_has_failed(a_round, dead):
    EventWriter(a_round.events_path).write("paused", step=5)
    replace(dead, launched="9999-01-01").write(a_round.job_path)
    a_round.log_path.write_text("first\nImportError: no torch\n\n")
    status = job_status(a_round)
    assert status.state == "failed" and status.message == "ImportError: no torch"


def test_a_job_that_was_killed_before_its_first_event_is_interrupted_and_not_told_an_older_story(a_round, dead):
    a_round.log_path.write_text("ImportError: of the run before\n")
    record = replace(dead, launched="9999-01-01", log_start=a_round.log_path.stat().st_size)
    record.write(a_round.job_path)
    assert JobRecord.read(a_round.job_path) == record
    status = job_status(a_round)
    assert status.state == "interrupted" and "killed" in status.message


def test_a_silent_job_on_another_host_is_warned_about(a_round):
    path = a_round.events_path
    old = event("started", device="cpu")
    path.write_text(json.dumps(old) + "\n")
    record = JobRecord("local", 5, "x", "elsewhere", launched="2026-01-01T00:00:00+00:00")
    record.write(a_round.job_path)
    status = job_status(a_round)
    assert status.state == "running" and "no news from elsewhere" in status.warnings[0]


def test_a_job_without_a_record_is_judged_by_the_pid_it_named(a_round, dead):
    writer = EventWriter(a_round.events_path)
    writer.write("started", pid=os.getpid())
    assert job_status(a_round).state == "running"
    writer.write("started", pid=dead.pid)
    assert job_status(a_round).state == "interrupted"


def test_the_status_of_many_events_is_folded_quickly(a_round):
    lines = [json.dumps(event("progress", step=n, total=20_000, loss={"total": 1.0 / (n + 1)}))
             for n in range(20_000)]  # fmt: skip
    a_round.events_path.write_text("\n".join(lines) + "\n")
    write_json(a_round.record_path, {})
    start = datetime.now()
    assert job_status(a_round).step == 19_999
    assert (datetime.now() - start).total_seconds() < 5
