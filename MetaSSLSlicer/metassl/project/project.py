"""A project: the folder that Slicer, the command line and the engine share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from . import annotations
from .cases import LABELLED_STATES, Case, check_case_id, now
from .errors import LabelError, ProjectError
from .filelock import file_lock
from .files import atomic_write, make_folder, read_json, write_json
from .images import Geometry, read_geometry, read_labels, write_array
from .labels import LabelDefinition, check_labels
from .rounds import PredictionPaths, Round, list_rounds, make_round, round_path

_WAITING = ("unlabelled", "predicted", "rejected")


class Project:
    """An open project. Make one with `Project.create` or `Project.open`.

    Nothing but the label definitions is kept in memory: `cases` and the rounds are read from the
    folder each time, so that several processes may work on one project.
    """

    def __init__(self, path: Path, document: dict[str, Any]) -> None:
        self.path = path
        self.name: str = document["name"]
        self.channels: list[str] = document["channels"]
        self.labels: list[LabelDefinition] = document["labels"]

    def __repr__(self) -> str:
        return f"Project({str(self.path)!r})"

    @staticmethod
    def create(
        path: Path, name: str, labels: Iterable[LabelDefinition], channels: list[str]
    ) -> Project:
        """Make a new, empty project in the folder `path`, which must be new or empty."""
        path = _absolute(path)
        ordered = check_labels(labels)
        if not channels or not all(isinstance(c, str) and c.strip() for c in channels):
            raise ProjectError("a project needs the name of at least one image channel")
        make_folder(path)
        if any(path.iterdir()):
            raise ProjectError(f"{path} is not empty: choose a new folder for the project")
        for folder in ("labels/.history", "journal", "cache", "rounds"):
            make_folder(path / folder)
        _write_cases(path, {})
        content = {
            "name": str(name).strip() or path.name,
            "created": now(),
            "channels": list(channels),
            "labels": [asdict(label) for label in ordered],
            "settings": {},
        }
        write_json(path / "project.json", content)
        return Project.open(path)

    @staticmethod
    def open(path: Path) -> Project:
        """Open the project in `path`. ProjectError when it is none, damaged, or of the future."""
        path = _absolute(path)
        if not path.is_dir():
            raise ProjectError(f"there is no project folder {path}")
        if not (path / "project.json").is_file():
            raise ProjectError(
                f"{path} is not a MetaSSL project: it has no project.json; "
                "make one with `metassl new`"
            )
        return Project(path, _checked(read_json(path / "project.json", "the project"), path))

    @property
    def values(self) -> list[int]:
        """The value in an annotation of each class of the network, background first."""
        return [0, *(label.value for label in self.labels)]

    @property
    def settings(self) -> dict[str, Any]:
        """The settings in project.json, read afresh: another process may have changed them."""
        settings = read_json(self.path / "project.json", "the project").get("settings", {})
        return settings if isinstance(settings, dict) else {}

    def update_settings(self, **changes: Any) -> None:
        """Change settings in project.json; the value None removes one."""
        with self._writing():
            document = read_json(self.path / "project.json", "the project")
            settings = {**document.get("settings", {}), **changes}
            document["settings"] = {k: v for k, v in settings.items() if v is not None}
            write_json(self.path / "project.json", document)

    # Cases

    @property
    def cases(self) -> dict[str, Case]:
        """All cases by id, sorted; read afresh, and yours to change."""
        path = self.path / "cases.json"
        entries = read_json(path, "the case list").get("cases")
        if not isinstance(entries, list):
            raise ProjectError(f"the case list is damaged: {path} has no list of cases")
        cases = [Case.from_json(entry) for entry in entries]
        return {case.id: case for case in sorted(cases, key=lambda case: case.id)}

    def case(self, case_id: str) -> Case:
        """The case `case_id`; ProjectError when the project has none of that name."""
        return _known(self.cases, case_id, self.path)

    def image_paths(self, case: Case | str) -> list[Path]:
        """The absolute image paths of a case, one per channel file."""
        found = self.case(case) if isinstance(case, str) else case
        return [self.path / image for image in found.images]

    def add_cases(self, cases: Iterable[Case]) -> None:
        """Add new cases. ProjectError when an id is taken (capital letters do not tell ids apart).

        Image paths inside the project are kept relative to it, so that it can be moved.
        """
        with self._changing_cases() as known:
            taken = {case_id.casefold() for case_id in known}
            for case in cases:
                if case.id.casefold() in taken:
                    raise ProjectError(f"project {self.path} has two cases of the id {case.id}")
                taken.add(case.id.casefold())
                images = [self._portable(image) for image in case.images]
                known[case.id] = replace(case, images=images, updated=case.updated or now())

    def update_case(self, case_id: str, **changes: Any) -> Case:
        """Change fields of a case (split, state, seconds_spent, ...) and return it as it is now."""
        with self._changing_cases() as cases:
            case = _known(cases, case_id, self.path)
            try:
                changed = replace(case, **{"updated": now(), **changes})
            except TypeError as error:
                raise ProjectError(f"case {case_id}: {error}") from error
            if changed.id != case_id:
                raise ProjectError(f"case {case_id}: the id of a case never changes")
            changed.images = [self._portable(image) for image in changed.images]
            cases[case_id] = changed
        return changed

    def mark_predicted(self, case_ids: Iterable[str]) -> list[str]:
        """Set the state "predicted" where nobody has begun to annotate; returns those ids.

        A case that was labelled or opened in the meantime keeps its state.
        """
        marked = []
        with self._changing_cases() as cases:
            for case_id in case_ids:
                case = _known(cases, case_id, self.path)
                if case.state in _WAITING:
                    cases[case_id] = replace(case, state="predicted", updated=now())
                    marked.append(case_id)
        return marked

    def labelled_cases(self) -> list[Case]:
        """The cases to train on with their annotation."""
        return [case for case in self.cases.values() if case.split == "pool" and case.is_labelled]

    def unlabelled_cases(self) -> list[Case]:
        """The cases to train on without annotation, which are also those to predict."""
        pool = [case for case in self.cases.values() if case.split == "pool"]
        return [case for case in pool if not case.is_labelled]

    def validation_cases(self) -> list[Case]:
        """The annotated cases that are measured and never trained on."""
        cases = self.cases.values()
        return [case for case in cases if case.split == "validation" and case.is_labelled]

    def test_cases(self) -> list[Case]:
        """The cases that are kept out of training altogether."""
        return [case for case in self.cases.values() if case.split == "test"]

    # Annotations

    def add_label(
        self,
        case_id: str,
        source: Path | tuple[np.ndarray, Geometry],
        state: str = "labelled",
        allow_empty: bool = False,
    ) -> str:
        """Accept an annotation of a case and return its version (equal labels, equal versions).

        `source`: a file, or an array (z, y, x) of values with its geometry. `state`: "labelled",
        "accepted" or "corrected". LabelError when the grid is not the image's, a value is not in
        the project, nothing is annotated, or no structure is (unless `allow_empty`). Former
        versions stay in labels/.history.
        """
        if state not in LABELLED_STATES:
            raise ProjectError(f"an annotation makes a case {', '.join(LABELLED_STATES)}; {state}?")
        image = self.image_paths(case_id)[0]
        if isinstance(source, tuple):
            (array, geometry), where = source, "the annotation"
        else:
            (array, geometry), where = read_labels(Path(source), case_id), str(source)
        grid = read_geometry(image, case_id)
        if difference := geometry.difference(grid):
            raise LabelError(
                f"case {case_id}: {where} is not on the grid of {image}: {difference}; "
                "resample it to the image"
            )
        array = annotations.checked(array, grid, self.labels, f"case {case_id}: {where}")
        annotations.refuse_empty(array, f"case {case_id}: {where}", allow_empty)
        version = annotations.version_of(array, grid)
        kept = self._history_path(case_id, version)
        if not kept.exists():
            write_array(make_folder(kept.parent) / kept.name, array, grid)
        with self._changing_cases() as cases:
            case = _known(cases, case_id, self.path)
            atomic_write(self.label_path(case_id), lambda to: _copy(kept, to))
            cases[case_id] = replace(case, state=state, label_version=version, updated=now())
        return version

    def label_path(self, case_id: str) -> Path:
        """Where the accepted annotation of a case lies, or will lie."""
        return self.path / "labels" / f"{check_case_id(case_id)}.nrrd"

    def read_label(self, case_id: str, version: str | None = None) -> tuple[np.ndarray, Geometry]:
        """The accepted annotation (uint8 (z, y, x), geometry), or a former `version` of it."""
        path = self.label_path(case_id) if version is None else self._history_path(case_id, version)
        if not path.is_file():
            which = "annotation" if version is None else f"annotation of version {version[:16]}"
            raise LabelError(f"case {case_id} has no {which}: there is no file {path}")
        return read_labels(path, case_id)

    # Rounds

    def rounds(self) -> list[Round]:
        """All rounds with a record, oldest first."""
        return list_rounds(self.path / "rounds")

    def latest_round(self) -> Round | None:
        """The newest round, or None."""
        return (self.rounds() or [None])[-1]

    def round(self, number: int) -> Round:
        """The round `number`; ProjectError when there is none."""
        found = Round(round_path(self.path / "rounds", number))
        if not found.path.is_dir():
            raise ProjectError(f"project {self.path} has no round {number}")
        return found

    def shown_round(self) -> Round | None:
        """The round that was chosen to be reviewed (the setting "shown_round"), or None: the newest."""
        number = self.settings.get("shown_round")
        return next((found for found in self.rounds() if found.number == number), None)

    def start_round(self) -> Round | None:
        """The round whose model the next training starts from: chosen (the setting "start_round"), or the newest."""
        trained = [found for found in self.rounds() if found.model_path.exists()]
        number = self.settings.get("start_round")
        return next((found for found in trained if found.number == number), (trained or [None])[-1])

    def predictions(self) -> dict[str, Round]:
        """For each predicted case the round whose prediction is reviewed: the chosen one's, or the newest."""
        chosen = self.shown_round()
        found = {}
        for source in self.rounds() if chosen is None else [*self.rounds(), chosen]:
            found.update(dict.fromkeys(source.predicted_cases(), source))
        return found

    def prediction(self, case_id: str) -> tuple[Round, PredictionPaths] | None:
        """The prediction of one case that is reviewed, as `predictions` chooses it."""
        chosen = self.shown_round()
        for source in [*([chosen] if chosen else []), *reversed(self.rounds())]:
            paths = source.prediction(case_id)
            if paths.complete:
                return source, paths
        return None

    def new_round(self, config: dict[str, Any] | None = None) -> Round:
        """Make the next round and, when `config` is given, write it as the round's record.

        Without it, call `Round.write_record` before anyone else looks: `rounds` lists only rounds
        that have a record.
        """
        made = make_round(self.path / "rounds")
        if config:
            made.write_record(config)
        return made

    def lock(self, timeout_s: float = 30.0):
        """A context manager: the short lock between processes that change this folder."""
        return file_lock(self.path / ".lock", timeout_s)

    def _history_path(self, case_id: str, version: str) -> Path:
        name = annotations.history_name(check_case_id(case_id), version)
        return self.path / "labels" / ".history" / name

    def _portable(self, image: str) -> str:
        path = Path(os.path.normpath(self.path / image))
        if path.is_relative_to(self.path):
            return path.relative_to(self.path).as_posix()
        return str(path)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        if not self.path.is_dir():
            raise ProjectError(f"there is no project folder {self.path} any more")
        with self.lock():
            yield

    @contextmanager
    def _changing_cases(self) -> Iterator[dict[str, Case]]:
        with self._writing():
            cases = self.cases
            before = {case_id: case.to_json() for case_id, case in cases.items()}
            yield cases
            if {case_id: case.to_json() for case_id, case in cases.items()} != before:
                _write_cases(self.path, cases)


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(Path(path).expanduser()))


def _write_cases(path: Path, cases: dict[str, Case]) -> None:
    ordered = sorted(cases.values(), key=lambda case: case.id)
    write_json(path / "cases.json", {"cases": [case.to_json() for case in ordered]})


def _known(cases: dict[str, Case], case_id: str, path: Path) -> Case:
    if case_id not in cases:
        raise ProjectError(f"project {path} has no case {case_id!r}")
    return cases[case_id]


def _copy(source: Path, to: Path) -> None:
    shutil.copyfile(source, to)


def _checked(document: dict[str, Any], path: Path) -> dict[str, Any]:
    try:
        labels = [
            LabelDefinition(
                entry["value"], entry["name"], entry.get("color", ""), entry.get("terminology", "")
            )
            for entry in document["labels"]
        ]
        channels = document["channels"]
        sound = isinstance(channels, list) and channels and all(map(_is_text, channels))
        settings = document.get("settings", {})
        if not sound or not _is_text(document["name"]) or not isinstance(settings, dict):
            raise TypeError
    except (KeyError, TypeError, AttributeError) as error:
        raise ProjectError(
            f"the project is damaged: {path / 'project.json'} lacks its name, channels or labels"
        ) from error
    return {**document, "labels": check_labels(labels), "settings": settings}


def _is_text(value: Any) -> bool:
    return isinstance(value, str)
