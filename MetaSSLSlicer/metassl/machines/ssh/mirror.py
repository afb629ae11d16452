"""What a round on another computer has made comes back into the project here.

Only files of that very round come, each whole or not at all; a prediction is one with its summary, which comes last.
Labels and the list of cases are never fetched: they are made here.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metassl.files.atomic import remove_file
from metassl.files.errors import ProjectError
from metassl.files.json_files import read_json, write_json
from metassl.files.json_kinds import text, whole
from metassl.files.path_map import PathMap
from metassl.jobs.events import Event, EventWriter
from metassl.project.project import Project
from metassl.project.round_files import read_ranking
from metassl.project.rounds import PredictionPaths, Round

from .cargo import KEPT_THERE
from .remote import ChangedThere, Remote

CHECKPOINT_EVERY_S = 600.0
"""A training goes on elsewhere from the last checkpoint that has come."""

_CHECKPOINTS, _PREDICTIONS = "checkpoints/", "predictions/"
_OF_A_PREDICTION = {path.name for path in (*PredictionPaths.at(Path()).maps, PredictionPaths.at(Path()).summary)}
_NAME = re.compile(r"(checkpoints/)?\w[\w.-]*")
_KINDS = {"machine": text, "project": text, **dict.fromkeys(("events", "log"), whole)}


@dataclass
class Place:
    """Where a round is there, and up to where its history and log have been taken over. Kept in mirror.json."""

    machine: str
    project: str
    events: int = 0
    log: int = 0

    def write(self, found: Round) -> None:
        """Keep it."""
        write_json(place_path(found), vars(self))

    @staticmethod
    def read(found: Round) -> Place | None:
        """None where the round was never sent anywhere. ProjectError."""
        path = place_path(found)
        if not path.is_file():
            return None
        document = read_json(path, "the place of the round on the other computer", _KINDS, "delete it")
        return Place(**{name: document[name] for name in _KINDS})


def place_path(found: Round) -> Path:
    """The file that keeps it."""
    return found.path / "mirror.json"


class Mirror:
    """The round here, as far as it has come back. `there`: the folder of the round there."""

    def __init__(self, project: Project, found: Round, place: Place, paths: PathMap) -> None:
        self.project, self.found, self.place, self.paths = project, found, place, paths
        self.there = paths.there(str(found.path))
        self.free = 0
        """Bytes left on the disk there."""
        self._files: dict[str, tuple[int, int]] = {}
        """{name from the round's folder on: (size, time of change)} of what is there."""
        self._lacking: set[str] = set()
        """What is still to come; of a prediction its summary alone."""
        self._fetched: dict[str, tuple[int, int]] = {}
        self._waiting: list[Event] = []
        self._newest = 0
        self._kept = (-1, -1)
        self._places: dict[str, int] = {}
        self._writer = EventWriter(found.events_path)
        self._cases = project.cases.keys()
        self._checkpoint_due = time.monotonic() + CHECKPOINT_EVERY_S
        self._read_ranking()

    def look(self, remote: Remote, engine: str) -> dict[str, Any]:
        """Ask what is new, and take over what was told and said; the status there, in the words of here."""
        news = remote.call(
            engine, "look", project=self.place.project, number=self.found.number,
            events=self.place.events, log=self.place.log, since=max(self._newest - 1, 0),
        )  # fmt: skip
        for name, size, stamp in news["files"]:
            if self.is_ours(name):
                self._files[name] = (size, stamp)
            self._newest = max(self._newest, stamp)
        self._lacking |= {
            name for name, *_rest in news["files"] if name in self._files and _is_one(name) and not self._is_here(name)
        }
        told = [Event.parse(line) for line in news["told"].encode().split(b"\n") if line]
        self._waiting += [event for event in told if event is not None]
        if news["said"]:
            say(self.paths.told(news["said"]).rstrip("\n"))
        self.place.events, self.place.log, self.free = news["events"], news["log"], news["free"]
        status: dict[str, Any] = self.paths.told(news["status"])
        return status

    def lacking(self, is_over: bool) -> list[str]:
        """The names of what is to be fetched now; `is_over`: also the checkpoints, which change until then."""
        if is_over or time.monotonic() >= self._checkpoint_due:
            return list(self._lacking)
        return [name for name in self._lacking if not name.startswith(_CHECKPOINTS)]

    def first(self, wanted: str, is_over: bool) -> str:
        """The name of what to fetch next, "" for nothing; `wanted`: the case that somebody waits for."""
        return min(self.lacking(is_over), key=lambda name: self._order(name, wanted), default="")

    def fetch(self, remote: Remote, name: str) -> Iterator[None]:
        """Fetch a file, or a prediction by the name of its summary; pauses after each part.

        One that changes there meanwhile is lacking again with the next look.
        """
        try:
            if name.startswith(_PREDICTIONS):
                yield from self._fetch_prediction(remote, name.split("/")[1])
            else:
                yield from self._fetch(remote, name)
        except ChangedThere:
            self._lacking.discard(name)
            self._newest = 0
        if self._is_here(name):
            self._lacking.discard(name)
        if name.startswith(_CHECKPOINTS):
            self._checkpoint_due = time.monotonic() + CHECKPOINT_EVERY_S
        elif name == self.found.ranking_path.name:
            self._read_ranking()

    def release(self) -> None:
        """Tell here what was told there, up to the first prediction that has not come yet, and mark those that have."""
        count = next((place for place, event in enumerate(self._waiting) if self._is_early(event)), len(self._waiting))
        released, self._waiting = self._waiting[:count], self._waiting[count:]
        predicted = [event.case for event in released if event.event == "predicted" and event.case in self._cases]
        if predicted:
            self.project.mark_predicted(predicted)
        for event in released:
            told = {name: value for name, value in event.to_json().items() if name not in ("seq", "event")}
            self._writer.write(event.event, **self.paths.told(told))
        at = self.place.events, self.place.log
        if not self._waiting and at != self._kept:  # what still waits is asked for again by the next attendant
            self.place.write(self.found)
            self._kept = at

    @property
    def last_told(self) -> int:
        """The number here of the last event."""
        return self._writer.last

    def is_ours(self, name: str) -> bool:
        """Whether a file of that name may come: nothing else that somebody there puts into the folder."""
        if name in KEPT_THERE or name == self.found.record_path.name:
            return False
        if not name.startswith(_PREDICTIONS):
            return _NAME.fullmatch(name) is not None
        parts = name.split("/")
        return len(parts) == 3 and parts[1] in self._cases and parts[2] in _OF_A_PREDICTION

    # Inside

    def _is_early(self, event: Event) -> bool:
        return event.event == "predicted" and f"predictions/{event.case}/summary.json" in self._lacking

    def _order(self, name: str, wanted: str) -> tuple[int, bool, int, int, str]:
        size, stamp = self._files[name]
        if name.startswith(_CHECKPOINTS):
            return 2, False, 0, size, name
        if not name.startswith(_PREDICTIONS):
            return 0, False, 0, size, name
        case = name.split("/")[1]
        return 1, case != wanted, self._places.get(case, len(self._places)), stamp, name

    def _read_ranking(self) -> None:
        try:
            self._places = {entry.case: place for place, entry in enumerate(read_ranking(self.found).cases)}
        except ProjectError:
            self._places = {}

    def _fetch(self, remote: Remote, name: str) -> Iterator[None]:
        known = self._files[name]
        yield from (None for _size in remote.get(self.there, name, self.found.path / name))
        self._fetched[name] = known

    def _fetch_prediction(self, remote: Remote, case: str) -> Iterator[None]:
        paths = self.found.prediction(case)
        names = [f"predictions/{case}/{path.name}" for path in paths.maps]
        remove_file(paths.summary)
        for name, path in zip(names, paths.maps):
            if name not in self._files:
                remove_file(path)
            elif not self._is_here(name):
                yield from self._fetch(remote, name)
        stats = [(name, *self._files[name]) for name in names if name in self._files]
        if remote.ask("different", root=self.there, files=stats)[0]["names"]:
            raise ChangedThere(f"{case} is being predicted again")
        yield from self._fetch(remote, f"predictions/{case}/{paths.summary.name}")

    def _is_here(self, name: str) -> bool:
        if self._fetched.get(name) == self._files[name]:  # on a disk that keeps no such fine times
            return True
        try:
            stat = (self.found.path / name).stat()
        except OSError:
            return False
        size, stamp = self._files[name]
        return stat.st_size == size and stat.st_mtime_ns // 1000 == stamp // 1000


def say(text: str) -> None:
    """Add to the log of the round; on a disk that is full, later."""
    with suppress(OSError):
        print(text, flush=True)


def _is_one(name: str) -> bool:
    """Whether it is fetched by its own name; the maps of a prediction come with its summary."""
    return not name.startswith(_PREDICTIONS) or name.endswith("/summary.json")
