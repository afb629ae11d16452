"""The progress display: a bar on a terminal, plain lines in a pipe."""

from __future__ import annotations

import io
import os
import sys

import pytest
from metassl.commands.shared.bar import PLAIN_EVERY_S, ProgressBar
from metassl.commands.shared.console import Console, command_line, listing, plain
from metassl.commands.shared.follow import JobDisplay
from metassl.jobs import Event, JobStatus


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def in_a_pipe(clock: Clock) -> tuple[ProgressBar, io.StringIO]:
    stream = io.StringIO()
    return ProgressBar(stream, tty=False, clock=clock), stream


def on_a_terminal() -> tuple[ProgressBar, io.StringIO]:
    stream = io.StringIO()
    return ProgressBar(stream, tty=True), stream


def screen(text: str) -> list[str]:
    """The lines that a terminal shows after `text`: a carriage return goes back to the left."""
    lines = []
    for raw in text.split("\n"):
        cells: list[str] = []
        for part in raw.split("\r"):
            cells[: len(part)] = part
        lines.append("".join(cells).rstrip())
    return lines


def test_a_pipe_gets_a_line_at_most_every_five_seconds(clock):
    bar, stream = in_a_pipe(clock)
    for step in range(1, 101):
        clock.now += 0.1
        bar.show("training", step, 1000)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1 + int(100 * 0.1 / PLAIN_EVERY_S) - 1
    assert lines[0] == "training 1/1000 (0%)"
    assert "\r" not in stream.getvalue()


def test_a_pipe_hears_of_every_stage_and_of_its_end(clock):
    bar, stream = in_a_pipe(clock)
    bar.show("preparing", 1, 2)
    bar.show("preparing", 2, 2)
    bar.show("preparing", 2, 2)
    bar.show("training", 0, 0)
    bar.show("training", 3, 9, 75.0, "loss 0.500  cpu")
    clock.now = PLAIN_EVERY_S
    bar.show("training", 4, 9, 75.0, "loss 0.500  cpu")
    assert stream.getvalue().splitlines() == [
        "preparing 1/2 (50%)",
        "preparing 2/2 (100%)",
        "training",
        "training 4/9 (44%), 1\u00a0min 15\u00a0s left, loss 0.500, cpu",
    ]


def test_a_pipe_is_not_told_the_same_twice(clock):
    bar, stream = in_a_pipe(clock)
    bar.show("training", 3, 9)
    clock.now = 100.0
    bar.show("training", 3, 9)
    assert len(stream.getvalue().splitlines()) == 1


def test_a_terminal_shows_one_line_that_is_redrawn():
    bar, stream = on_a_terminal()
    bar.show("training", 1, 4, 90.0, "cpu and more")
    bar.show("training", 2, 4, 60.0, "cpu")
    (line,) = screen(stream.getvalue())
    assert line.startswith("training")
    assert "50%  2/4  1\u00a0min left  cpu" in line
    assert "more" not in line
    assert line.count("#") == line.count("-") > 0


def test_a_terminal_keeps_lines_above_the_bar():
    bar, stream = on_a_terminal()
    bar.show("training", 1, 4)
    bar.line("note: something")
    first, second = screen(stream.getvalue())
    assert first == "note: something"
    assert "1/4" in second
    bar.close()
    assert screen(stream.getvalue()) == ["note: something", ""]


def test_the_bar_never_fills_the_last_column(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    bar, stream = on_a_terminal()
    bar.show("training", 1, 4, 3600.0, "a long tail " * 10)
    assert len(stream.getvalue().strip("\r")) == 39


def test_a_job_tells_its_device_plan_troubles_and_validation(clock):
    bar, stream = in_a_pipe(clock)
    display = JobDisplay(bar)
    display.tell(
        [
            Event(1, "started", device_name="CPU (2 cores)", resumed_from=7),
            Event(2, "plan", summary="1 mm"),
            Event(3, "memory", message="out of memory: going on with batch 1 + 1"),
            Event(4, "case_failed", case="a", reason="case a: x.nii is torn"),
            Event(5, "validation", step=9, dice={"mean": 0.5, "per_class": {"L": None}}, cases=4),
            Event(6, "checkpoint", step=9),
            Event(7, "something new"),
        ]
    )
    assert stream.getvalue().splitlines() == [
        "on CPU (2 cores), going on from step 7",
        "plan: 1 mm",
        "note: out of memory: going on with batch 1 + 1",
        "left out: case a: x.nii is torn",
        "step 9: validation Dice 0.500 on 4 cases",
    ]


def test_a_job_that_has_no_stage_yet_is_starting(clock):
    bar, stream = in_a_pipe(clock)
    JobDisplay(bar).update(JobStatus(state="created"))
    assert stream.getvalue() == "starting\n"


def test_a_long_listing_is_cut():
    assert listing(["a", "b"], 2) == "a, b"
    assert listing(["a", "b", "c", "d"], 2) == "a, b and 2 more"


def test_json_holds_no_nan_and_no_numpy():
    numpy = pytest.importorskip("numpy")
    found = plain({"a": numpy.float32(0.5), 1: float("nan"), "b": (numpy.int64(3), float("inf"))})
    assert found == {"a": 0.5, "1": None, "b": [3, None]}
    assert type(found["b"][0]) is int


@pytest.mark.skipif(os.name == "nt", reason="quoted for another shell there")
def test_a_command_to_type_is_quoted():
    assert command_line("train", "my project") == "metassl train 'my project'"


@pytest.mark.skipif(os.name == "nt", reason="quoted for another shell there")
def test_a_command_to_type_calls_the_program_as_it_was_called(tmp_path, monkeypatch):
    program = tmp_path / "bin" / "metassl"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(program)])
    assert command_line("status", "P") == f"{program} status P"
    monkeypatch.setenv("PATH", str(program.parent))
    assert command_line("status", "P") == "metassl status P"
    monkeypatch.setattr(sys, "argv", ["somewhere/metassl/__main__.py"])
    assert command_line("status", "P") == f"{sys.executable} -m metassl status P"


def test_json_keeps_stdout_for_itself(capsys):
    console = Console(as_json=True)
    console.say("words")
    console.result({"a": 1})
    printed = capsys.readouterr()
    assert printed.out == '{\n "a": 1\n}\n'
    assert printed.err == "words\n"


def test_a_table_is_aligned_and_has_no_blanks_at_the_ends(capsys):
    Console().table([("a", "long"), ("bcd", "x")])
    assert capsys.readouterr().out == "  a    long\n  bcd  x\n"


def test_long_commands_have_their_reason_below(capsys):
    Console().commands([("short", "one"), ("shorter", "two")])
    assert capsys.readouterr().out == "  short    # one\n  shorter  # two\n"
    Console().commands([("short", "one"), ("long " * 20 + "end", "two")])
    assert capsys.readouterr().out.splitlines()[2:] == [f"  {'long ' * 20}end", "      # two"]
