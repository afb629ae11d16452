"""Whatever became of the file of events, each event that is whole counts once."""

import errno
import json

import pytest
from metassl.jobs import EventReader, EventWriter, JobFollower, JobRecord, StatusFold, job_status
from metassl.project.rounds import make_round


def lines(*numbered: tuple[int, str]) -> bytes:
    return b"".join(json.dumps({"seq": seq, "event": event}).encode() + b"\n" for seq, event in numbered)


def numbers(reader: EventReader) -> list[int]:
    return [event["seq"] for event in reader.read_new()]


def test_two_events_of_the_same_number_count_both(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(lines((1, "a"), (2, "b"), (2, "c"), (2, "b")))
    assert [event["event"] for event in EventReader(path).read_new()] == ["a", "b", "c"]


def test_a_file_that_seems_shorter_for_a_moment_repeats_nothing(tmp_path):
    path, whole = tmp_path / "events.jsonl", lines((1, "a"), (2, "b"), (3, "c"))
    path.write_bytes(whole)
    reader = EventReader(path)
    assert numbers(reader) == [1, 2, 3]
    for length in (0, 30, len(whole) // 2, len(whole)):
        path.write_bytes(whole[:length])
        assert numbers(reader) == []
    path.write_bytes(whole + lines((4, "d")))
    assert numbers(reader) == [4]


def test_bytes_that_come_after_those_behind_them_are_read_when_they_come(tmp_path):
    path, first, second, third = tmp_path / "events.jsonl", lines((1, "a")), lines((2, "b")), lines((3, "c"))
    path.write_bytes(first + bytes(len(second)) + third)
    reader = EventReader(path)
    assert numbers(reader) in ([1], [1, 3])
    path.write_bytes(first + second + third)
    assert 2 in numbers(reader) and numbers(reader) == []


def test_lines_that_came_late_are_told_also_when_the_reading_after_them_failed_once(tmp_path, monkeypatch):
    path, first, second = tmp_path / "events.jsonl", lines((1, "a")), lines((2, "b"))
    third = lines(*((number, "many") for number in range(3, 40)))
    path.write_bytes(first + bytes(len(second) - 1) + b"\n" + third)
    reader = EventReader(path)
    assert numbers(reader) == [1, *range(3, 40)]
    path.write_bytes(first + second + third)
    monkeypatch.setattr("builtins.open", _FailingOnce(path).open)
    assert numbers(reader) == []
    assert numbers(reader) == [2]


class _FailingOnce:
    """Opens files of which one, the first time, fails as on a share: when what is new at its end is read."""

    def __init__(self, path):
        self.path, self.whole, self.failed, self.size = path, open, False, path.stat().st_size

    def open(self, path, *mode, **options):
        stream = self.whole(path, *mode, **options)
        if path != self.path or self.failed:
            return stream
        self.failed, read = True, stream.read

        class Share:
            def __enter__(share):
                return share

            def __exit__(share, *_):
                stream.close()

            def read(share, size=-1):
                if stream.tell() == self.size:
                    raise OSError(errno.ESTALE, "Stale file handle")
                return read(size)

            def __getattr__(share, name):
                return getattr(stream, name)

        return Share()


def test_a_file_that_lost_its_end_and_grew_past_it_is_read_on(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(lines((1, "a"), (2, "b"), (3, "c")))
    reader = EventReader(path)
    reader.read_new()
    path.write_bytes(lines((1, "a"), (2, "started"), (3, "x"), (4, "y"), (5, "z")))
    assert numbers(reader) == [2, 3, 4, 5] and reader.disordered


WRITTEN = [(number, "progress") for number in range(1, 101)]


def left_out_middle(folder):
    """A file with the events WRITTEN, and a reader that read its beginning and left out what is before its end."""
    path = folder / "events.jsonl"
    path.write_bytes(lines(*WRITTEN))
    reader = EventReader(path)
    reader.read_new(200)
    reader.skip_middle(300)
    return path, reader


def test_a_file_of_which_the_middle_was_left_out_that_lost_its_end_is_read_anew(tmp_path):
    path, reader = left_out_middle(tmp_path)
    assert reader.read_new()[-1]["seq"] == 100
    path.write_bytes(lines(*WRITTEN[:80]))  # the end is gone, also what was left out last
    assert numbers(reader)[-1] == 80 and reader.disordered
    again = [*WRITTEN[:80], (81, "started"), *((number, "validation") for number in range(82, 121))]
    path.write_bytes(lines(*again))
    assert numbers(reader) == list(range(81, 121))


def test_a_file_that_lost_its_end_before_anything_behind_the_middle_was_read_is_read_anew(tmp_path):
    path, reader = left_out_middle(tmp_path)
    path.write_bytes(lines(*WRITTEN[:50], *((number, "a longer name") for number in range(51, 121))))
    assert set(numbers(reader)) >= set(range(51, 121)) and reader.disordered


def test_a_job_that_was_seen_finished_stays_so_when_its_end_is_out_of_sight_for_a_moment(tmp_path):
    found = make_round(tmp_path / "rounds")
    writer = EventWriter(found.events_path)
    for word in ("started", "progress", "progress", "finished"):
        writer.write(word)
    parts = found.events_path.read_bytes().splitlines(keepends=True)
    whole, hole = b"".join(parts), bytes(len(parts[1]))
    follower = JobFollower(found)
    for seen in (parts[0] + hole + parts[2] + parts[3], b"".join(parts[:3]), whole):
        found.events_path.write_bytes(seen)
        status = follower.poll()[1]
    assert status.state == "finished"


@pytest.mark.parametrize("seen", [None, b"", b"first"])
def test_a_follower_that_cannot_look_again_at_once_does_so_later(tmp_path, monkeypatch, seen):
    found = make_round(tmp_path / "rounds")
    writer = EventWriter(found.events_path)
    for word in ("started", "progress", "progress", "finished"):
        writer.write(word)
    whole = found.events_path.read_bytes()
    first, second, *rest = whole.splitlines(keepends=True)
    follower = JobFollower(found)
    found.events_path.write_bytes(first + bytes(len(second)) + rest[0])
    follower.poll()
    found.events_path.write_bytes(whole)
    folded_anew = follower._folded_anew

    def out_of_sight():
        found.events_path.unlink()
        if seen is not None:
            found.events_path.write_bytes(first if seen else b"")
        try:
            return folded_anew()
        finally:
            found.events_path.write_bytes(whole)

    monkeypatch.setattr(follower, "_folded_anew", out_of_sight)
    follower.poll()
    monkeypatch.undo()
    status = follower.poll()[1]
    assert (status.state, status.is_over) == ("finished", True) and not follower._outdated


def test_a_late_event_does_not_bring_a_finished_job_back_to_work():
    fold = StatusFold()
    fold.update([{"seq": 1, "event": "started"}, {"seq": 5, "event": "finished"}])
    status = fold.update([{"seq": 3, "event": "progress", "step": 2}, {"seq": 4, "event": "predicted", "case": "a"}])
    assert (status.state, status.step, status.predicted) == ("finished", 0, 1)


@pytest.mark.parametrize("zeros", [0, 100])
def test_a_follower_sees_the_run_after_a_power_loss(tmp_path, zeros):
    found = make_round(tmp_path / "rounds")
    writer = EventWriter(found.events_path)
    for word in ("started", "stage", "progress", "progress", "failed"):
        writer.write(word)
    follower = JobFollower(found)
    assert follower.poll()[1].state == "failed"
    data = found.events_path.read_bytes()
    found.events_path.write_bytes(data[: len(data) // 2] + bytes(zeros))
    writer = EventWriter(found.events_path)
    writer.write("started")
    writer.write("finished")
    assert [event["event"] for event in follower.poll()[0]] == ["started", "finished"]
    assert follower.poll()[1].state == job_status(found).state == "finished"


def test_a_job_record_that_is_announced_and_not_there_yet_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.exists", lambda path: True)
    assert JobRecord.read(tmp_path / "job.json") is None
