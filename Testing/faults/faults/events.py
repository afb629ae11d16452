"""The file of events is torn and littered: every whole event counts once, in its order, and the next run goes on."""

from __future__ import annotations

import json
import random
from pathlib import Path

from metassl.jobs import EventReader, EventWriter, StatusFold, read_events, status_of_events
from metassl.project import Round
from metassl.project.rounds import make_round

from .campaigns import Outcome

GARBAGE = (
    b"\n",
    b"\n\n  \n",
    b"\x00\x00\x00\x00\n",
    b'{"seq": 7, "event": "prog\n',
    b'{"seq": null, "event": "x"}\n',
    b'{"event": "finished"}\n',
    b"[1, 2, 3]\n",
    b"\xff\xfe\xfa junk\n",
    b'{"seq": 1e400, "event": "finished"}\n',
    b"<html>502 Bad Gateway</html>\n",
)
_TIME = "2026-01-01T00:00:00.000+00:00"


def run(times: int, folder: Path, seed: int) -> Outcome:
    """Spoil the events of `times` jobs while one reads along."""
    dice, problems = random.Random(seed), []
    for number in range(times):
        found = make_round(folder / "rounds")
        if problem := _problem(found, dice):
            problems.append(f"job {number}: {problem}")
    message = problems[0] if problems else ""
    return Outcome("events torn and littered", times, len(problems), times - len(problems), message)


def story(dice: random.Random, length: int) -> list[bytes]:
    """The lines of a job that trained and predicted and finished."""
    events = [{"event": "started", "device": "cpu"}, {"event": "stage", "stage": "training", "total": length}]
    for step in range(1, length):
        events.append({"event": "progress", "stage": "training", "step": step, "total": length, "eta_s": 1.0})
        if dice.random() < 0.2:
            events.append({"event": "warning", "message": f"warning {step}"})
    events += [{"event": "predicted", "case": f"case {number}"} for number in range(4)]
    events += [{"event": "finished", "seconds": 3.0}]
    return [json.dumps({"seq": n, "time": _TIME, **event}).encode() + b"\n" for n, event in enumerate(events, 1)]


def _problem(found: Round, dice: random.Random) -> str:
    lines = story(dice, dice.randrange(3, 30))
    wanted = [json.loads(line)["seq"] for line in lines]
    littered = list(lines)
    for _ in range(dice.randrange(4)):
        littered.insert(dice.randrange(len(littered) + 1), dice.choice(GARBAGE))
    whole, reader, got, place = b"".join(littered), EventReader(found.events_path), [], 0
    while place < len(whole):
        end = min(place + dice.randrange(1, 400), len(whole))
        with open(found.events_path, "ab") as stream:
            stream.write(whole[place:end])
        place = end
        got += [event.seq for event in reader.read_new()]
    if got != wanted or [event.seq for event in read_events(found.events_path)] != wanted:
        return f"of the events {wanted} the reader got {got}"
    if status_of_events(found.events_path) != StatusFold().update(read_events(found.events_path)):
        return "the quick way to a status comes to another one"
    return _problem_of_the_next_writer(found, whole, wanted, dice)


def _problem_of_the_next_writer(found: Round, whole: bytes, wanted: list[int], dice: random.Random) -> str:
    """The file loses its end, as in a power loss, and the next run goes on."""
    cut = dice.randrange(len(whole) + 1)
    found.events_path.write_bytes(whole[:cut] + bytes(dice.choice([0, 0, dice.randrange(200)])))
    left = [event.seq for event in read_events(found.events_path)]
    writer = EventWriter(found.events_path)
    written = [writer.write("started", device="cuda").seq, writer.write("progress", step=2, total=9).seq]
    after = [event.seq for event in read_events(found.events_path)]
    known = after[:-2]  # with the event that lacked nothing but its newline
    if after[-2:] != written or not set(left) <= set(known) <= set(wanted) or written[0] != max(known, default=0) + 1:
        return f"after {left} the next writer made {after}"
    return ""
