"""The file of events: what a writer promises and what a reader survives."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from metassl.files import ProjectError
from metassl.jobs import Event, EventReader, EventWriter, read_events


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def names(events: list[Event]) -> list[str]:
    return [event.event for event in events]


def test_events_are_numbered_dated_and_one_line_each(tmp_path):
    writer = EventWriter(tmp_path / "events.jsonl")
    first = writer.write("started", device="cpu")
    writer.write("warning", message="two\nlines, ä")
    assert first.seq == 1 and datetime.fromisoformat(first.time).tzinfo is not None
    assert [json.loads(line)["seq"] for line in lines(writer.path)] == [1, 2]
    assert read_events(writer.path)[0] == first
    assert read_events(writer.path)[1].message == "two\nlines, ä"


def test_a_new_writer_goes_on_counting(tmp_path):
    EventWriter(tmp_path / "e").write("a")
    EventWriter(tmp_path / "e").write("b")
    assert [event.seq for event in read_events(tmp_path / "e")] == [1, 2]


def test_a_torn_last_line_is_healed_by_the_next_writer(tmp_path):
    path = tmp_path / "e"
    EventWriter(path).write("a")
    with open(path, "a", encoding="utf-8") as stream:
        stream.write('{"seq": 2, "time": "2026", "event": "prog')
    EventWriter(path).write("b")
    assert [(event.seq, event.event) for event in read_events(path)] == [(1, "a"), (2, "b")]
    assert len(lines(path)) == 3


def test_blank_torn_and_foreign_lines_are_left_out(tmp_path):
    path = tmp_path / "e"
    good = '{"seq": 4, "event": "good"}'
    texts = ["", "   ", "[1]", '"x"', "null", "\x00\x00", '{"seq": 1}', '{"event": "x"}']
    bad = texts + [f'{{"seq": {n}, "event": {e}}}' for n, e in (('"1"', '"x"'), ("true", '"x"'))]
    bad.append('{"seq": 1, "event": 2}')
    path.write_bytes("\n".join([*bad, good, *bad]).encode() + b"\n\xff\xfe\n" + good.encode())
    assert names(read_events(path)) == ["good"]
    assert EventWriter(path).write("next").seq == 5


def test_a_reader_gets_each_event_once_and_waits_for_the_end_of_a_line(tmp_path):
    path = tmp_path / "e"
    reader = EventReader(path)
    assert reader.read_new() == []
    writer = EventWriter(path)
    writer.write("a")
    assert names(reader.read_new()) == ["a"] and reader.read_new() == []
    line = '{"seq": 2, "event": "bä"}\n'.encode()
    for cut in range(len(line)):
        with open(path, "ab") as stream:
            stream.write(line[cut : cut + 1])
        assert names(reader.read_new()) == (["bä"] if cut == len(line) - 1 else [])
    writer = EventWriter(path)
    writer.write("c")
    writer.write("d")
    assert names(reader.read_new()) == ["c", "d"]


def test_a_bounded_reader_gets_everything_in_several_calls(tmp_path):
    writer = EventWriter(tmp_path / "e")
    for number in range(50):
        writer.write("step", number=number, text="x" * (number * 7 % 40))
    reader = EventReader(writer.path)
    pieces = []
    while piece := reader.read_new(limit_bytes=300):
        pieces.append(piece)
        assert sum(len(json.dumps(event.to_json())) for event in piece) < 600
    assert len(pieces) > 5
    assert [event.more["number"] for piece in pieces for event in piece] == list(range(50))


def test_a_file_that_became_shorter_is_read_anew(tmp_path):
    path = tmp_path / "e"
    writer = EventWriter(path)
    for _ in range(3):
        writer.write("a")
    reader = EventReader(path)
    reader.read_new()
    path.write_text('{"seq": 1, "event": "new"}\n', encoding="utf-8")
    assert names(reader.read_new()) == ["new"]


def test_numbers_of_numpy_are_written_and_those_json_lacks_become_null(tmp_path):
    writer = EventWriter(tmp_path / "e")
    writer.write(
        "progress",
        step=np.int64(3),
        loss={"total": np.float32(0.5), "UC": float("nan"), "list": [np.inf, np.arange(2)]},
        path=tmp_path,
        done=np.bool_(True),
    )
    event = json.loads(lines(writer.path)[0], parse_constant=pytest.fail)
    assert event["step"] == 3 and event["done"] is True and event["path"] == str(tmp_path)
    assert event["loss"] == {"total": 0.5, "UC": None, "list": [None, [0, 1]]}


def test_a_writer_that_is_killed_in_its_work_leaves_whole_lines_to_read(tmp_path):
    code = (
        "import sys; from metassl.jobs import EventWriter\n"
        "writer = EventWriter(sys.argv[1]); print('ready', flush=True)\n"
        "while True: writer.write('step', text='x' * 500)"
    )
    import metassl

    environment = {**os.environ, "PYTHONPATH": str(Path(metassl.__file__).parents[1])}
    path = tmp_path / "e"
    command = [sys.executable, "-c", code, str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    process.stdout.readline()
    while not path.exists() or path.stat().st_size < 20_000:
        assert process.poll() is None
    process.kill()
    process.wait()
    process.stdout.close()
    seen = [event.seq for event in read_events(path)]
    assert seen == list(range(1, len(seen) + 1)) and len(seen) > 20
    assert EventWriter(path).write("resumed").seq == len(seen) + 1
    assert names(read_events(path))[-1] == "resumed"


def test_a_full_disk_is_an_error_and_the_next_event_starts_a_new_line(tmp_path, monkeypatch):
    writer = EventWriter(tmp_path / "e")
    writer.write("a")

    class Full:
        """A file on a disk that takes ten bytes more."""

        def __init__(self, stream):
            self.stream = stream

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.stream.close()

        def write(self, data):
            self.stream.write(data[:10])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        real = open
        patch.setattr("builtins.open", lambda *a, **k: Full(real(*a, **k)))
        with pytest.raises(ProjectError, match="the disk is full"):
            writer.write("lost")
    writer.write("b")
    assert [(event.seq, event.event) for event in read_events(writer.path)] == [
        (1, "a"),
        (2, "b"),
    ]


def test_a_really_full_disk_loses_no_earlier_event(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)]
    if not sys.platform.startswith("linux") or shutil.which("mount") is None:
        pytest.skip("a small disk is mounted on Linux only")
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this user may not mount a small disk")
    try:
        (folder / "filler").write_bytes(bytes(40_000))
        writer = EventWriter(folder / "e")
        with pytest.raises(ProjectError, match="the disk is full"):
            for _ in range(1000):
                writer.write("step", text="x" * 100)
        written = len(read_events(writer.path))
        (folder / "filler").unlink()
        writer.write("again")
        events = read_events(writer.path)
        assert [event.seq for event in events] == list(range(1, written + 2))
        assert events[-1].event == "again"
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_reader_skips_the_middle_to_a_whole_line(tmp_path):
    writer = EventWriter(tmp_path / "e")
    for number in range(200):
        writer.write("step", number=number, text="ä" * (number % 9))
    for tail in range(300, 420):
        reader = EventReader(writer.path)
        assert reader.read_new(500)[0].more["number"] == 0
        assert reader.skip_middle(tail)
        numbers = [event.more["number"] for event in reader.read_new()]
        assert numbers == list(range(200 - len(numbers), 200)) and len(numbers) >= 2
    reader = EventReader(writer.path)
    assert not reader.skip_middle(1 << 20) and len(reader.read_new()) == 200
    assert not EventReader(tmp_path / "none").skip_middle(10)
