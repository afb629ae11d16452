"""A job tells the world how it gets on: each event as history, and in status.json what they come to."""

from __future__ import annotations

import threading
import time
from typing import Any

from metassl.files.atomic import remove_leftovers
from metassl.files.errors import ProjectError
from metassl.files.path_map import PathMap
from metassl.project.cases import now
from metassl.project.rounds import Round

from .events import Event, EventWriter
from .fold import fold_of_events

EVERY_S = 1.0
BEAT_S = 10.0
_AT_ONCE = ("started", "stage", "paused", "requeued", "finished", "failed")


class JobWriter:
    """Writes events.jsonl, and status.json at once when the stage changes and at the end, else every `every_s` seconds.

    A thread sees to it while the job computes for long, and says every 10 seconds that it lives. To be closed, or used
    in a `with` block. With an `every_s` of 0 each event is written at once, and there is no thread.
    """

    def __init__(self, found: Round, every_s: float = EVERY_S) -> None:
        self._path, self._every_s = found.status_path, every_s
        remove_leftovers(found.path, 0.0, found.status_path.name)
        self._fold = fold_of_events(found.events_path)
        self._events = EventWriter(found.events_path)
        self._lock, self._closed = threading.Lock(), threading.Event()
        self._is_due, self._written = False, float("-inf")
        self._thread = threading.Thread(target=self._keep_writing, daemon=True, name="metassl-status")
        if every_s:
            self._thread.start()

    def write(self, event: str, **fields: Any) -> Event:
        """Append one event and return it. Raises ProjectError when the disk is full."""
        with self._lock:
            entry = self._events.write(event, **PathMap.of_worker().told(fields))
            self._fold.update([entry])
            self._is_due = True
            if event in _AT_ONCE or time.monotonic() - self._written >= self._every_s:
                self._write_status()
            return entry

    def close(self) -> None:
        """Write what is not yet written, and end."""
        self._closed.set()
        if self._every_s:
            self._thread.join()
        with self._lock:
            if self._is_due:
                self._write_status()

    def __enter__(self) -> JobWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _keep_writing(self) -> None:
        while not self._closed.wait(self._every_s):
            with self._lock:
                silent_s = time.monotonic() - self._written
                if silent_s >= BEAT_S and self._fold.status.state == "running":
                    self._fold.beat(now())
                    self._is_due = True
                if self._is_due and silent_s >= self._every_s:
                    self._write_status()

    def _write_status(self) -> None:
        self._written = time.monotonic()
        try:
            self._fold.status.write(self._path)
            self._is_due = False
        except ProjectError:
            pass  # the event is told; the next try is a second away, and nobody's training ends for it
