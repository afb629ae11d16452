"""Whatever became of the file of events, each event that is whole counts once."""

import json

import pytest
from metassl.jobs import EventReader, EventWriter, JobRecord, JobWriter, job_status
from metassl.project.rounds import make_round


def lines(*numbered: tuple[int, str]) -> bytes:
    return b"".join(json.dumps({"seq": seq, "event": event}).encode() + b"\n" for seq, event in numbered)


def numbers(reader: EventReader) -> list[int]:
    return [event.seq for event in reader.read_new()]


def test_a_file_that_lost_its_end_is_read_on_after_the_next_run_has_begun(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(lines((1, "a"), (2, "b"), (3, "c")))
    reader = EventReader(path)
    assert numbers(reader) == [1, 2, 3]
    path.write_bytes(lines((1, "a")))
    assert numbers(reader) == [1]
    EventWriter(path).write("started")
    assert numbers(reader) == [2]


@pytest.mark.parametrize("zeros", [0, 100])
def test_the_status_is_that_of_the_run_after_a_power_loss(tmp_path, zeros):
    found = make_round(tmp_path / "rounds")
    with JobWriter(found) as writer:
        for word in ("started", "stage", "progress", "progress", "failed"):
            writer.write(word)
    assert job_status(found).state == "failed"
    data = found.events_path.read_bytes()
    found.events_path.write_bytes(data[: len(data) // 2] + bytes(zeros))
    with JobWriter(found) as writer:
        writer.write("started")
        writer.write("finished")
    assert job_status(found).state == "finished"


def test_a_job_that_was_seen_finished_stays_so_whatever_becomes_of_its_events(tmp_path):
    found = make_round(tmp_path / "rounds")
    with JobWriter(found) as writer:
        for word in ("started", "progress", "progress", "finished"):
            writer.write(word)
    parts = found.events_path.read_bytes().splitlines(keepends=True)
    for seen in (parts[0] + bytes(len(parts[1])) + parts[2] + parts[3], b"".join(parts[:3]), b"", b"".join(parts)):
        found.events_path.write_bytes(seen)
        assert job_status(found).state == "finished"


def test_two_events_of_the_same_number_count_both(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(lines((1, "a"), (2, "b"), (2, "c")))
    assert [event.event for event in EventReader(path).read_new()] == ["a", "b", "c"]


def test_a_job_record_that_is_announced_and_not_there_yet_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.exists", lambda path: True)
    assert JobRecord.read(tmp_path / "job.json") is None
