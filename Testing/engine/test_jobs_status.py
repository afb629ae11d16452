"""Events folded into a status, status.json, and whether the process lives."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from machine import PATIENCE_S, slowness
from metassl.files import ProjectError, write_json
from metassl.jobs import (
    Event,
    EventReader,
    JobRecord,
    JobStatus,
    JobWriter,
    StatusFold,
    job_status,
    last_status,
    read_events,
)
from metassl.project.rounds import make_round


def event(name: str, second: float = 0.0, seq: int = 1, **fields) -> Event:
    time = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
    return Event.of({"seq": seq, "time": time.isoformat(), "event": name, **fields})


def folded(*events: Event):
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
    status = folded(event("started"), event("dance", step=7), Event(2, "progress"))
    assert status.state == "running" and status.step == 0


def test_a_job_is_followed_as_it_tells_how_it_gets_on(a_round):
    history = EventReader(a_round.events_path)
    assert history.read_new() == []
    JobRecord.of(os.getpid(), device="cpu").write(a_round.job_path)
    writer = JobWriter(a_round, every_s=0.0)
    writer.write("started", device="cpu")
    assert [e.event for e in history.read_new()] == ["started"] and job_status(a_round).state == "running"
    writer.write("progress", step=1, total=2)
    writer.write("progress", step=2, total=2)
    assert [e.step for e in history.read_new()] == [1, 2] and job_status(a_round).step == 2
    assert history.read_new() == [] and job_status(a_round).step == 2
    assert job_status(a_round).pid == os.getpid() and job_status(a_round).elapsed_s >= 0


def test_a_running_job_whose_process_is_gone_is_interrupted(a_round, dead):
    replace(dead, launched="2026").write(a_round.job_path)
    JobWriter(a_round, every_s=0.0).write("started")
    assert job_status(a_round).state == "interrupted"


def test_a_finished_job_whose_process_is_gone_stays_finished(a_round, dead):
    replace(dead, launched="2026").write(a_round.job_path)
    writer = JobWriter(a_round, every_s=0.0)
    writer.write("started")
    writer.write("finished")
    assert job_status(a_round).state == "finished"


def test_a_job_launched_again_is_running_before_its_first_event(a_round):
    JobWriter(a_round, every_s=0.0).write("paused", step=5)
    JobRecord.of(os.getpid()).write(a_round.job_path)
    record = JobRecord.read(a_round.job_path)
    replace(record, launched="9999-01-01").write(a_round.job_path)
    assert job_status(a_round).state == "running"


def test_a_job_launched_again_that_died_before_its_first_event_has_failed(a_round, dead):
    JobWriter(a_round, every_s=0.0).write("paused", step=5)
    replace(dead, launched="9999-01-01").write(a_round.job_path)
    a_round.log_path.write_text("first\nImportError: no torch\n\n", encoding="utf-8")
    status = job_status(a_round)
    assert status.state == "failed" and status.message == "ImportError: no torch"


def test_a_job_that_was_killed_before_its_first_event_is_interrupted_and_not_told_an_older_story(a_round, dead):
    a_round.log_path.write_text("ImportError: of the run before\n", encoding="utf-8")
    record = replace(dead, launched="9999-01-01", log_start=a_round.log_path.stat().st_size)
    record.write(a_round.job_path)
    assert JobRecord.read(a_round.job_path) == record
    status = job_status(a_round)
    assert status.state == "interrupted" and "killed" in status.message


def test_a_silent_job_on_another_host_is_warned_about(a_round):
    folded(event("started", device="cpu")).write(a_round.status_path)
    record = JobRecord("local", 5, "x", "elsewhere", launched="2026-01-01T00:00:00+00:00")
    record.write(a_round.job_path)
    status = job_status(a_round)
    assert status.state == "running" and "no news from elsewhere" in status.warnings[0]


def test_a_job_without_a_record_is_judged_by_the_pid_it_named(a_round, dead):
    writer = JobWriter(a_round, every_s=0.0)
    writer.write("started", pid=os.getpid())
    assert job_status(a_round).state == "running"
    writer.write("started", pid=dead.pid)
    assert job_status(a_round).state == "interrupted"


def test_the_status_of_a_version_that_wrote_none_is_made_of_many_events_quickly(a_round):
    lines = [
        json.dumps(event("progress", n, n + 1, step=n, total=20_000, loss={"total": 1.0 / (n + 1)}).to_json())
        for n in range(20_000)
    ]
    a_round.events_path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_json(a_round.record_path, {})
    start = time.thread_time()
    status = job_status(a_round)
    assert time.thread_time() - start < 1
    assert (status.step, status.seq, status.loss) == (19_999, 20_000, {"total": 1.0 / 20_000})


# status.json


def tell(writer: JobWriter, rng: random.Random, count: int) -> None:
    """Events of all kinds, in any order, some of them without the fields that they mostly have."""
    for number in range(count):
        case, step = f"case_{rng.randrange(40)}", rng.randrange(900)
        kinds = {
            "started": {"device": rng.choice(["cpu", "cuda"]), "pid": os.getpid()},
            "stage": {"stage": rng.choice(["training", "predicting"]), "total": rng.choice([None, 9])},
            "plan": {"patch": [number, 2, 3]},
            "validation": {"step": step, "dice": {"mean": rng.random(), "per_class": {"Front": None}}},
            "warning": {"message": f"step {step}: the loss is not finite"},
            "case_failed": {"case": case, "reason": 'it says "event": "progress"'},
            "predicted": {"case": case},
            "checkpoint": {"step": step},
            rng.choice(["paused", "finished", "failed", "ranked"]): {"message": "m", "step": step, "count": 3},
            "progress": {"step": step, "total": 900, "loss": {"total": 0.1}, "regions": {"UC": 1}},
        }
        kind = rng.choices(list(kinds), [1, 1, 1, 2, 1, 1, 4, 2, 1, 60])[0]
        writer.write(kind, **kinds[kind])


@pytest.mark.parametrize("seed", range(10))
def test_the_status_file_says_what_all_events_come_to_also_of_a_job_that_was_resumed(a_round, seed):
    rng = random.Random(seed)
    for _ in range(rng.randrange(1, 4)):
        with JobWriter(a_round) as writer:
            tell(writer, rng, rng.randrange(10, 300))
        if rng.random() < 0.5:
            with open(a_round.events_path, "a", encoding="utf-8") as stream:
                stream.write('{"seq": 1, "time": "2026", "event": "prog')
    said, history = last_status(a_round), StatusFold().update(read_events(a_round.events_path))
    assert a_round.status_path.exists() and said.seq == history.seq
    assert {**said.to_json(), "elapsed_s": None} == {**history.to_json(), "elapsed_s": None}
    assert said.elapsed_s == pytest.approx(history.elapsed_s, abs=0.01)
    a_round.status_path.unlink()
    assert {**last_status(a_round).to_json(), "elapsed_s": None} == {**history.to_json(), "elapsed_s": None}


def test_the_status_file_is_replaced_at_each_change_of_stage_and_else_once_in_a_while(a_round):
    writer = JobWriter(a_round, every_s=60.0)
    for step, (word, fields) in enumerate(
        [
            ("started", {}),
            ("stage", {"stage": "training", "total": 9}),
            ("progress", {"step": 4}),
            ("progress", {"step": 5}),
        ]
    ):
        writer.write(word, **fields)
        assert JobStatus.read(a_round.status_path).seq == min(step + 1, 2)
    writer.write("stage", stage="predicting", total=3)
    assert JobStatus.read(a_round.status_path).stage == "predicting"
    writer.write("predicted", case="a")
    assert JobStatus.read(a_round.status_path).predicted == 0
    writer.write("finished")
    assert (JobStatus.read(a_round.status_path).state, JobStatus.read(a_round.status_path).predicted) == ("finished", 1)


def test_what_was_held_back_is_written_though_the_job_says_nothing_more(a_round):
    writer = JobWriter(a_round, every_s=0.2)
    writer.write("started")
    writer.write("progress", step=7)
    end = time.monotonic() + PATIENCE_S
    while JobStatus.read(a_round.status_path).step != 7:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_job_that_computes_for_long_says_that_it_lives(a_round, monkeypatch):
    monkeypatch.setattr("metassl.jobs.writer.BEAT_S", 0.2)
    writer = JobWriter(a_round, every_s=0.1)
    first = writer.write("started")
    end = time.monotonic() + PATIENCE_S
    while (said := JobStatus.read(a_round.status_path)).time <= first.time or not said.elapsed_s:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert said.seq == 1
    writer.write("finished")
    writer.close()
    over = a_round.status_path.read_bytes()
    time.sleep(0.5)
    assert a_round.status_path.read_bytes() == over


def test_a_job_that_ended_on_a_full_disk_has_told_so_in_its_last_line(a_round, dead, monkeypatch):
    replace(dead, launched="2026").write(a_round.job_path)
    writer = JobWriter(a_round, every_s=0.0)
    writer.write("started")
    writer.write("progress", step=3)

    def full(path, *_, **__):
        raise ProjectError(f"the disk is full: cannot write {path}; free some space and try again")

    with monkeypatch.context() as patch:
        patch.setattr("metassl.jobs.status.write_json", full)
        writer.write("failed", message="the disk is full", code="disk_full")
        assert JobStatus.read(a_round.status_path).state == "running"
        writer.close()
    status = job_status(a_round)
    assert (status.state, status.message, status.code, status.step) == ("failed", "the disk is full", "disk_full", 3)


@pytest.mark.parametrize("torn", [b"", b'{"schema_version": 1, "state": "fini', bytes(200)])
def test_a_status_file_that_a_power_loss_tore_is_made_up_for_by_the_events(a_round, torn):
    with JobWriter(a_round) as writer:
        writer.write("started")
        writer.write("finished")
    a_round.status_path.write_bytes(torn)
    assert job_status(a_round).state == "finished"


def test_a_status_file_of_a_newer_version_or_with_odd_entries_is_named(a_round):
    with JobWriter(a_round) as writer:
        writer.write("finished")
    whole = json.loads(a_round.status_path.read_text(encoding="utf-8"))
    for change, said in (({"schema_version": 2}, "newer MetaSSL"), ({"step": "7"}, "entry 'step'.*delete it")):
        a_round.status_path.write_text(json.dumps({**whole, **change}), encoding="utf-8")
        with pytest.raises(ProjectError, match=said):
            job_status(a_round)
    a_round.status_path.write_text(json.dumps({**whole, "mood": "good", "stage": None}), encoding="utf-8")
    assert job_status(a_round).state == "finished"


def test_a_worker_that_was_killed_while_it_wrote_its_status_leaves_nothing_behind(a_round):
    half = a_round.path / ".tmp-0123456789ab-status.json"
    half.write_text("{", encoding="utf-8")
    with JobWriter(a_round) as writer:
        writer.write("started")
    assert not half.exists() and JobStatus.read(a_round.status_path).state == "running"


def test_a_status_is_small_and_read_in_moments(a_round):
    with JobWriter(a_round) as writer:
        writer.write("started", device="cuda")
        for number in range(2000):
            writer.write("case_failed", case=f"case_{number}", reason=f"case_{number}: the file is truncated")
    start = time.thread_time()
    status = job_status(a_round)
    assert len(status.failed_cases) == 2000 and time.thread_time() - start < 0.05 * slowness()
