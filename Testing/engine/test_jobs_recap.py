"""Recaps among the events: whoever comes late knows as much as one who read everything."""

from __future__ import annotations

import json
import os
import random

import pytest
from metassl.jobs import EventReader, EventWriter, JobFollower, JobRecord, StatusFold, job_status, read_events
from metassl.jobs.events import last_number
from metassl.jobs.recap import RecapWriter
from metassl.jobs.status import RECAP
from metassl.project.rounds import make_round


@pytest.fixture
def a_round(tmp_path):
    found = make_round(tmp_path / "rounds")
    JobRecord.of(os.getpid(), device="cpu").write(found.job_path)
    return found


@pytest.fixture
def frequent(monkeypatch):
    """Recaps after every 3 KB, and what is read at once is as little."""
    monkeypatch.setattr("metassl.jobs.recap.RECAP_BYTES", 3000)
    for name in ("follower._HEAD_BYTES", "follower._TAIL_BYTES", "events._BLOCK_BYTES"):
        monkeypatch.setattr(f"metassl.jobs.{name}", 700)


def tell(writer: EventWriter, rng: random.Random, count: int) -> None:
    """Events of all kinds, in any order, some of them without the fields that they mostly have."""
    for number in range(count):
        case, step = f"case_{rng.randrange(40)}", rng.randrange(900)
        kinds = {
            "started": {"device": rng.choice(["cpu", "cuda"]), "pid": os.getpid()},
            "stage": {"stage": rng.choice(["training", "predicting"]), "total": rng.choice([None, 9])},
            "plan": {"patch": [number, 2, 3]},
            "validation": {"step": step, "dice": {"mean": rng.random(), "per_class": {"Front": None}}},
            "warning": {"message": f"step {step}: the loss is not finite"},
            "case_failed": {"case": case, "reason": 'it says "event": "recap"'},
            "predicted": {"case": case},
            "checkpoint": {"step": step},
            rng.choice(["paused", "finished", "failed", "ranked"]): {"message": "m", "step": step, "count": 3},
            "progress": {"step": step, "total": 900, "loss": {"total": 0.1}, "regions": rng.choice([None, {"UC": 1}])},
        }
        kind = rng.choices(list(kinds), [1, 1, 1, 2, 1, 1, 4, 2, 1, 60])[0]
        writer.write(kind, **kinds[kind])


def without_time(status) -> dict:
    """The elapsed time of a running job is that of the clock."""
    return {**status.to_json(), "elapsed_s": None}


@pytest.mark.parametrize("seed", range(30))
def test_the_status_of_a_late_comer_is_that_of_one_who_read_everything(a_round, frequent, seed):
    rng = random.Random(seed)
    for _ in range(rng.randrange(1, 4)):  # a job that was resumed
        tell(RecapWriter(a_round.events_path), rng, rng.randrange(10, 300))
        if rng.random() < 0.5:
            with open(a_round.events_path, "a") as stream:
                stream.write('{"seq": 1, "time": "2026", "event": "recap", "status": {"st')
    assert without_time(job_status(a_round)) == without_time(JobFollower(a_round).poll()[1])
    plain = [event for event in read_events(a_round.events_path) if event["event"] != RECAP]
    folded, follower = StatusFold(), JobFollower(a_round)
    folded.update(plain)
    follower.attach()
    tell(EventWriter(a_round.events_path), rng, 5)
    later = [event for event in follower.poll()[0] if event["event"] != RECAP]
    late = follower._fold
    folded.update(later)
    assert late.recap() == folded.recap()


def test_a_late_comer_reads_little_and_gets_each_event_once(a_round, frequent, monkeypatch):
    tell(RecapWriter(a_round.events_path), random.Random(1), 3000)
    read = []
    whole = EventReader.read_new

    def counted(reader, limit_bytes=None):
        events = whole(reader, limit_bytes)
        read.extend(events)
        return events

    monkeypatch.setattr(EventReader, "read_new", counted)
    events, _ = JobFollower(a_round).attach()
    numbers = [event["seq"] for event in events]
    assert numbers[0] == 1 and numbers[-1] == last_number(a_round.events_path)
    assert numbers == sorted(set(numbers)) and len(read) < 200
    assert RECAP in [event["event"] for event in events]


def test_a_short_story_has_no_recap_and_is_read_whole(a_round):
    tell(RecapWriter(a_round.events_path), random.Random(2), 100)
    events, _ = JobFollower(a_round).attach()
    assert [event["seq"] for event in events] == list(range(1, 101))


def test_a_story_without_recaps_is_read_whole_however_long(a_round, frequent):
    tell(EventWriter(a_round.events_path), random.Random(3), 400)
    events, status = JobFollower(a_round).attach()
    assert len(events) == 400 and without_time(status) == without_time(JobFollower(a_round).poll()[1])


def test_a_recap_that_another_version_wrote_counts_as_far_as_it_is_known(a_round):
    story = {"last_time": "", "run_started": "", "former_s": 1.0, "predicted_cases": ["a"], "at_stage": 0}
    lines = [
        {"seq": 1, "event": "progress", "step": 1, "total": 9},
        {"seq": 2, "event": "recap", "status": {"state": "running", "step": 5, "mood": "good"}, **story},
        {"seq": 3, "event": "recap", "status": "all is well"},
    ]
    a_round.events_path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    fold = StatusFold()
    fold.update(read_events(a_round.events_path))
    assert (fold.status.step, fold.status.state) == (5, "running")


def test_recaps_are_rare_even_when_they_are_long(a_round, frequent):
    writer = RecapWriter(a_round.events_path)
    for number in range(3000):
        writer.write("predicted", case=f"case_{number}")
    sizes = {True: 0, False: 0}
    for event in read_events(a_round.events_path):
        sizes[event["event"] == RECAP] += len(json.dumps(event))
    assert sizes[True] < sizes[False]
    assert job_status(a_round).predicted == 3000
