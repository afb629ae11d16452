"""What a round on another computer has made comes back into the project here.

Only files of that very round come, each whole or not at all; a prediction is one with its summary, which comes last.
Labels and the list of cases are never fetched: they are made here.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
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


@dataclass
class Mirror:
    """The round here, as far as it has come back. `there`: the folder of the round there."""

    project: Project
    found: Round
    place: Place
    paths: PathMap
    files: dict[str, tuple[int, int]] = field(default_factory=dict)
    """{name from the round's folder on: (size, time of change)} of what is there."""
    free: int = 0
    """Bytes left on the disk there."""
    _waiting: list[Event] = field(default_factory=list)
    _newest: int = 0
    _kept: tuple[int, int] = (-1, -1)
    _checkpoint_due: float = 0.0

    def __post_init__(self) -> None:
        self._writer = EventWriter(self.found.events_path)
        self._cases = self.project.cases.keys()
        self._checkpoint_due = time.monotonic() + CHECKPOINT_EVERY_S

    @property
    def there(self) -> str:
        return self.paths.there(str(self.found.path))

    def look(self, remote: Remote, engine: str) -> dict[str, Any]:
        """Ask what is new, and take over what was told and said; the status there, in the words of here."""
        news = remote.call(
            engine, "look", project=self.place.project, number=self.found.number,
            events=self.place.events, log=self.place.log, since=max(self._newest - 1, 0),
        )  # fmt: skip
        for name, size, stamp in news["files"]:
            if self._is_ours(name):
                self.files[name] = (size, stamp)
            self._newest = max(self._newest, stamp)
        told = [Event.parse(line) for line in news["told"].encode().split(b"\n") if line]
        self._waiting += [event for event in told if event is not None]
        if news["said"]:
            print(self.paths.told(news["said"]), end="", flush=True)
        self.place.events, self.place.log = news["events"], news["log"]
        self.free = news["free"]
        status: dict[str, Any] = self.paths.told(news["status"])
        return status

    def fetch(self, remote: Remote, wanted: str, is_over: bool) -> Iterator[str]:
        """Fetch one file after the other, and give its name after each part of it; the files to read first come first.

        wanted: the case that somebody waits for.
        """
        for name in self._missing(wanted, is_over):
            try:
                if name.startswith("predictions/"):
                    yield from self._fetch_prediction(remote, name.split("/")[1])
                else:
                    yield from (name for _size in remote.get(self.there, name, self.found.path / name))
                    self._checkpoint_due = time.monotonic() + CHECKPOINT_EVERY_S
            except ChangedThere:
                continue  # as it is by the next look

    def missing(self, is_over: bool) -> int:
        """How many files, or predictions, are still to come."""
        return len(self._missing("", is_over))

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

    # Inside

    def _is_early(self, event: Event) -> bool:
        if event.event != "predicted":
            return False
        name = f"predictions/{event.case}/summary.json"
        return name in self.files and not self._is_here(name)

    def _missing(self, wanted: str, is_over: bool) -> list[str]:
        """The names of files to fetch; of a prediction that of its summary alone."""
        names = [name for name in self.files if not self._is_here(name) and _is_one(name)]
        if not is_over and time.monotonic() < self._checkpoint_due:
            names = [name for name in names if not name.startswith("checkpoints/")]
        return sorted(names, key=self._order(wanted))

    def _order(self, wanted: str) -> Any:
        try:
            places = {entry.case: place for place, entry in enumerate(read_ranking(self.found).cases)}
        except ProjectError:
            places = {}

        def order(name: str) -> tuple:
            if name.startswith("checkpoints/"):
                return 3, 0, self.files[name][0], name
            if not name.startswith("predictions/"):
                return 0, 0, 0, name
            case = name.split("/")[1]
            return 1, case != wanted, places.get(case, len(places)), self.files[name][1]

        return order

    def _fetch_prediction(self, remote: Remote, case: str) -> Iterator[str]:
        paths = self.found.prediction(case)
        names = [f"predictions/{case}/{path.name}" for path in paths.maps]
        remove_file(paths.summary)
        for name, path in zip(names, paths.maps):
            if name not in self.files:
                remove_file(path)
            elif not self._is_here(name):
                yield from (name for _size in remote.get(self.there, name, path))
        stats = [(name, *self.files[name]) for name in names if name in self.files]
        if remote.ask("different", root=self.there, files=stats)[0]["names"]:
            raise ChangedThere(f"{case} is being predicted again")
        summary = f"predictions/{case}/{paths.summary.name}"
        yield from (summary for _size in remote.get(self.there, summary, paths.summary))

    def _is_here(self, name: str) -> bool:
        try:
            stat = (self.found.path / name).stat()
        except OSError:
            return False
        size, stamp = self.files[name]
        return stat.st_size == size and stat.st_mtime_ns // 1000 == stamp // 1000

    def _is_ours(self, name: str) -> bool:
        """Whether a file of that name may come: nothing else that somebody there puts into the folder."""
        if name in KEPT_THERE or name == self.found.record_path.name:
            return False
        if not name.startswith("predictions/"):
            return _NAME.fullmatch(name) is not None
        parts = name.split("/")
        paths = PredictionPaths.at(Path())
        return (
            len(parts) == 3 and parts[1] in self._cases and parts[2] in {p.name for p in (*paths.maps, paths.summary)}
        )


def _is_one(name: str) -> bool:
    """Whether it is fetched by its own name; the maps of a prediction come with its summary."""
    return not name.startswith("predictions/") or name.endswith("/summary.json")
