"""Follow a job from this terminal. The job does not notice; Ctrl-C ends the following alone."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from metassl.jobs import Event, EventReader, JobRecord, JobStatus, job_status
from metassl.jobs.events import last_number
from metassl.project import Round

from .bar import ProgressBar
from .console import Console

POLL_S = 0.3
GOODBYE_S = 5.0
_HEAD_BYTES, _TAIL_BYTES = 64 << 10, 512 << 10


def follow(found: Round, console: Console, after: int = 0) -> JobStatus:
    """Show the job of a round until it is over and return how it ended.

    `after`: the number of the last event that was told before, as a resumed job goes on with its
    former events.
    """
    display = JobDisplay(ProgressBar(console.stream))
    reader = EventReader(found.events_path)
    status = job_status(found)  # before its events: what it told by then is then among them
    events = reader.read_new(_HEAD_BYTES)
    reader.skip_middle(_TAIL_BYTES)
    try:
        while True:
            events += reader.read_new()
            display.tell([event for event in events if event.seq > after])
            after = max((event.seq for event in events), default=after)
            display.update(status)
            if status.is_over:
                break
            time.sleep(POLL_S)
            status, events = job_status(found), []
    finally:
        display.bar.close()
    record = JobRecord.read(found.job_path)
    if record is not None:
        record.wait(GOODBYE_S)  # spares the next command a process that is about to end
    return status


def last_seq(found: Round | None) -> int:
    """The number of the last event of a round so far, or 0."""
    return 0 if found is None else last_number(found.events_path)


class JobDisplay:
    """Turns the events of a job into lines that stay and its status into a bar."""

    def __init__(self, bar: ProgressBar) -> None:
        self.bar = bar

    def tell(self, events: list[Event]) -> None:
        """Write a line for each event that deserves one."""
        for event in events:
            if text := _sentence(event):
                self.bar.line(text)

    def update(self, status: JobStatus) -> None:
        """Redraw the bar."""
        if status.state == "queued":
            self.bar.show("queued", details=status.queue)
        elif status.state in ("created", "running") and not status.stage:
            self.bar.show("starting")
        elif status.stage:
            self.bar.show(status.stage, status.step, status.total, status.eta_s, _details(status))


def describe_validation(validation: Mapping[str, Any] | None) -> str:
    """ "Dice 0.830 on 4 cases (Head 0.800, Body 0.860)", or "" when nothing was measured.

    validation: "dice" and "cases", as in the status and in the event; only some of the validation cases are watched.
    """
    validation = validation or {}
    dice = validation.get("dice") or {}
    if dice.get("mean") is None:
        return ""
    cases, per_class = validation.get("cases"), dice.get("per_class") or {}
    parts = [f"{name} {value:.3f}" for name, value in per_class.items() if value is not None]
    watched = f" on {cases} case{'s' if cases > 1 else ''}" if isinstance(cases, int) else ""
    return f"Dice {dice['mean']:.3f}{watched}" + (f" ({', '.join(parts)})" if parts else "")


def describe_device(status: JobStatus) -> str:
    """ "CPU (2 cores), fp32"; the device is always shown."""
    return ", ".join(filter(None, [status.device_name or status.device, status.precision]))


def _details(status: JobStatus) -> str:
    if status.stage != "training":
        return status.device
    loss = status.loss.get("total")
    return "  ".join(filter(None, ["" if loss is None else f"loss {loss:.3f}", status.device]))


def _sentence(event: Event) -> str:
    kind = event.event
    if kind == "started":
        name = event.device_name or event.device or "an unknown device"
        return f"on {name}" + (f", going on from step {event.resumed_from}" if event.resumed_from else "")
    if kind == "plan" and event.summary:
        return f"plan: {event.summary}"
    if kind in ("warning", "memory"):
        return f"note: {event.message}"
    if kind == "operating_point":
        return f"operating point: {event.message}"
    if kind == "case_failed":
        return f"left out: {event.reason or event.case}"
    if kind == "validation" and (words := describe_validation({"dice": event.dice, "cases": event.cases})):
        return f"step {event.step}: validation {words}"
    return ""
