"""A project: the folder that Slicer, the command line and the engine share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from metassl.files.errors import LabelError, ProjectError
from metassl.files.json_files import read_json, write_json
from metassl.files.locks import file_lock
from metassl.files.path_map import PathMap
from metassl.imaging.geometry import Geometry
from metassl.imaging.images import read_labels

from .annotations import (
    ANY_VERSION,
    HISTORY,
    acceptable,
    hashes_of_opened,
    history_path,
    is_outside_edit,
    keep_version,
    login_name,
    put_in_place,
    refuse_changed,
    voxels_of,
)
from .cases import LABELLED_STATES, Case, check_case_id, key_of, known_case, now
from .documents import CaseList, checked_settings, read_cases, read_project, write_cases
from .links import refuse_links_out
from .making import making_project
from .rounds import PredictionPaths, Round, list_rounds, make_round, round_path
from .structures import LabelDefinition

_WAITING = ("unlabelled", "predicted", "rejected")


class Project:
    """An open project. Make one with `Project.create` or `Project.open`.

    Cases and rounds are as they are in the folder at that moment: several processes may work on one project.
    """

    def __init__(self, path: Path, document: dict[str, Any]) -> None:
        self.path = path
        self.name: str = document["name"]
        self.channels: list[str] = document["channels"]
        self.labels: list[LabelDefinition] = document["labels"]
        self.created: str = document.get("created") or ""
        self._case_list = CaseList(path / "cases.json")

    def __repr__(self) -> str:
        return f"Project({str(self.path)!r})"

    @staticmethod
    def create(path: Path, name: str, labels: Iterable[LabelDefinition], channels: list[str]) -> Project:
        """Make a new, empty project in the folder `path`, which must be new or empty."""
        with Project.making(path, name, labels, channels) as made:
            return made

    @staticmethod
    @contextmanager
    def making(path: Path, name: str, labels: Iterable[LabelDefinition], channels: list[str]) -> Iterator[Project]:
        """A new project to be filled inside the block; after it, all of it is there, and if it fails, nothing is.

        `path` must be a new or empty folder. project.json, which makes it a project, is written last.
        """
        with making_project(_absolute(path), name, labels, channels) as document:
            yield Project(_absolute(path), document)

    @staticmethod
    def open(path: Path) -> Project:
        """Open the project in `path`. ProjectError when it is none, damaged, or of the future."""
        path = _absolute(path)
        try:
            there, made = path.is_dir(), (path / "project.json").is_file()
        except OSError as error:  # a share that is down
            raise ProjectError(f"the project folder {path} cannot be reached: {error.strerror or error}") from error
        if not there:
            raise ProjectError(f"there is no project folder {path}")
        if not made:
            raise ProjectError(
                f"{path} is not a MetaSSL project: it has no project.json; make a new project of your images (on the "
                "command line with `metassl new`)"
            )
        document = read_project(path / "project.json")
        refuse_links_out(path, list_rounds(path / "rounds"))
        return Project(path, document)

    @property
    def values(self) -> list[int]:
        """The value in an annotation of each class of the network, background first."""
        return [0, *(label.value for label in self.labels)]

    @property
    def settings(self) -> dict[str, Any]:
        """The settings in project.json, read afresh: another process may have changed them."""
        path = self.path / "project.json"
        return checked_settings(read_json(path, "the project").get("settings", {}), path)

    def update_settings(self, **changes: Any) -> None:
        """Change settings in project.json; the value None removes one."""
        with self._writing():
            path = self.path / "project.json"
            document = read_json(path, "the project")
            document["settings"] = checked_settings({**document.get("settings", {}), **changes}, path)
            write_json(path, document)

    # Cases

    @property
    def cases(self) -> dict[str, Case]:
        """All cases by id, sorted; read afresh, and yours to change."""
        return read_cases(self.path / "cases.json")

    def case(self, case_id: str) -> Case:
        """The case `case_id`; ProjectError when the project has none of that name."""
        return self._case_list.get(case_id) or known_case(self.cases, case_id, self.path)

    def image_paths(self, case: Case | str) -> list[Path]:
        """The absolute image paths of a case, one per channel file; on another computer as they are called there."""
        found = self.case(case) if isinstance(case, str) else case
        paths = PathMap.of_worker()
        return [self.path / paths.there(image) for image in found.images]

    def add_cases(self, cases: Iterable[Case]) -> None:
        """Add new cases. ProjectError when an id is taken (capital letters do not tell ids apart).

        Image paths inside the project are kept relative to it, so that it can be moved.
        """
        with self._changing_cases() as known:
            taken = set(map(key_of, known))
            for case in cases:
                if key_of(case.id) in taken:
                    raise ProjectError(f"project {self.path} has two cases of the id {case.id}")
                taken.add(key_of(case.id))
                images = [self._portable(image) for image in case.images]
                known[case.id] = replace(case, images=images, updated=case.updated or now())

    def update_case(
        self, case_id: str, *, former: str | None = ANY_VERSION, more_seconds: float = 0.0, **changes: Any
    ) -> Case:
        """Change fields of a case (split, state, ...) and return it as it is now.

        `more_seconds` were spent on it. `former`: as in `add_label`.
        """
        with self._changing_cases() as cases:
            case = known_case(cases, case_id, self.path)
            refuse_changed(case, former)
            if more_seconds:
                changes["seconds_spent"] = round(case.seconds_spent + more_seconds, 1)
            changes = {"updated": now(), **({"unseen": False} if "state" in changes else {}), **changes}
            try:
                changed = replace(case, **changes)
            except TypeError as error:
                raise ProjectError(f"case {case_id}: {error}") from error
            if changed.id != case_id:
                raise ProjectError(f"case {case_id}: the id of a case never changes")
            changed.images = [self._portable(image) for image in changed.images]
            cases[case_id] = changed
        return changed

    def change_cases(self, case_ids: Iterable[str], change: Callable[[Case], Case]) -> list[str]:
        """Put what `change` makes of each case in its place; the ids of those that it changed."""
        changed = []
        with self._changing_cases() as cases:
            for case_id in dict.fromkeys(case_ids):
                case = known_case(cases, case_id, self.path)
                new = change(case)
                if new != case:
                    cases[case_id] = replace(new, updated=now())
                    changed.append(case_id)
        return changed

    def set_aside(self, case_ids: Iterable[str], undo: bool = False) -> list[str]:
        """Take cases out of training, prediction and ranking, or bring them back. Nothing is deleted. Those changed."""
        return self.change_cases(case_ids, Case.brought_back if undo else Case.set_aside)

    def set_done(self, case_ids: Iterable[str], undo: bool = False) -> list[str]:
        """Say that nothing more is to be annotated in partly annotated cases, or take that back. Those changed.

        ProjectError for a case without an annotation.
        """
        return self.change_cases(case_ids, Case.not_done if undo else Case.as_done)

    def mark_in_progress(self, case_id: str) -> None:
        """Set the state "in_progress", unless the case has been labelled, maybe a moment ago."""
        self.change_cases(
            [case_id], lambda case: case if case.state in LABELLED_STATES else replace(case, state="in_progress")
        )

    def leave_progress(self, case_id: str, is_predicted: bool) -> None:
        """Take the state "in_progress" back: what was begun on the case was thrown away."""
        state = "predicted" if is_predicted else "unlabelled"
        self.change_cases([case_id], lambda case: replace(case, state=state) if case.state == "in_progress" else case)

    def mark_predicted(self, case_ids: Iterable[str]) -> list[str]:
        """Set the state "predicted" where nobody has begun to annotate; returns the ids of those that had another.

        A case that was labelled or opened in the meantime keeps its state.
        """
        return self.change_cases(
            case_ids, lambda case: replace(case, state="predicted") if case.state in _WAITING else case
        )

    def labelled_cases(self) -> list[Case]:
        """The cases to train on with their annotation, those among them of which a part is annotated."""
        return [case for case in self.cases.values() if case.split == "pool" and case.is_reviewed]

    def unlabelled_cases(self) -> list[Case]:
        """The cases to train on as images, which are also those to predict: all but those that are done.

        Of some a part may be annotated: they are among the labelled ones, too. Nobody looked at others that are done.
        """
        cases = self.cases.values()
        return [case for case in cases if case.split == "pool" and (case.unseen or not case.is_done)]

    def validation_cases(self) -> list[Case]:
        """The annotated cases that are measured and never trained on."""
        cases = self.cases.values()
        return [case for case in cases if case.split == "validation" and case.is_reviewed]

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
        drawn_on: Sequence[str] = (),
        former: str | None = ANY_VERSION,
        names: Mapping[int | str, str] | str | None = None,
        tell: Callable[[str], object] = lambda note: None,
        coverage: Iterable[int] | None = None,
        annotator: str | None = None,
        looked: Iterable[int] | None = None,
    ) -> str:
        """Accept an annotation of a case and return its version (equal labels, equal versions).

        `source`: a file, as `imaging.read_annotation` takes it with `names`, or an array (z, y, x) of values with its
        geometry. `tell` is called with each sentence on what was not taken as it is in a file. `state`: "labelled",
        "accepted" or "corrected". LabelError when the grid is not the image's, a value is not in the project, nothing
        is annotated, or no structure is (unless `allow_empty`). ImageError when the image is not the one of the hashes
        `drawn_on`, where these are given. `former`: the version that the annotator knew of, None for no label;
        ChangedError when somebody else has made another one the label since. Former versions stay in labels/.history,
        and so does what another program wrote to the case's file in labels/. `coverage`: the values of the structures
        that it speaks about, None for all that the project had when it was opened. `annotator`: None for who is
        logged in. `looked`: see `Case`; of a prediction that was looked at in part and became the label as a whole.
        """
        if state not in LABELLED_STATES:
            raise ProjectError(f"an annotation makes a case {', '.join(LABELLED_STATES)}; {state}?")
        self._require_folder()
        images = self.image_paths(case_id)
        hashes = hashes_of_opened(case_id, images, drawn_on)
        array, grid, notes = acceptable(source, images[0], case_id, self.labels, names, allow_empty)
        version = keep_version(self.path, case_id, array, grid)
        with self._changing_cases() as cases:
            case = known_case(cases, case_id, self.path)
            if version != case.label_version:
                refuse_changed(case, former)
            put_in_place(self.path, case, version)
            told = self.values[1:] if coverage is None else coverage
            who = login_name() if annotator is None else annotator
            labelled = case.annotated_by(who, voxels_of(array), told, looked)
            cases[case_id] = replace(labelled, state=state, label_version=version, image_hashes=hashes)
        for note in notes:
            tell(note)
        return version

    def label_path(self, case_id: str) -> Path:
        """Where the accepted annotation of a case lies for other programs, or will lie."""
        return self.path / "labels" / f"{check_case_id(case_id)}.nrrd"

    def accepted_label(self, case_id: str) -> Path:
        """The file of the accepted annotation, which need not exist."""
        version = self.case(case_id).label_version
        kept = None if version is None else history_path(self.path, case_id, version)
        return kept if kept is not None and kept.is_file() else self.label_path(case_id)

    def outside_edit(self, case_id: str) -> Path | None:
        """The case's file in labels/ if another program has changed it: not the label until it is accepted."""
        copy, accepted = self.label_path(case_id), self.case(case_id).label_version
        return copy if is_outside_edit(copy, self.path / HISTORY, case_id, accepted) else None

    def read_label(self, case_id: str, version: str | None = None) -> tuple[np.ndarray, Geometry]:
        """The accepted annotation (uint8 (z, y, x), geometry), or a former `version` of it.

        cases.json says which version is accepted; labels/CASE.nrrd is a copy of it for other programs.
        """
        path = self.accepted_label(case_id) if version is None else history_path(self.path, case_id, version)
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
        rounds = self.rounds()
        return rounds[-1] if rounds else None

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
        return next((found for found in trained if found.number == number), trained[-1] if trained else None)

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

    def new_round(self, config: dict[str, Any] | None = None, first: int = 1) -> Round:
        """Make the next round, `first` where there is none, and, when `config` is given, write it as its record.

        Without it, call `Round.write_record` before anyone else looks: `rounds` lists only rounds
        that have a record.
        """
        self._require_folder()
        made = make_round(self.path / "rounds", first)
        if config:
            made.write_record(config)
        return made

    def lock(self, timeout_s: float = 30.0) -> AbstractContextManager[None]:
        """A context manager: the short lock between processes that change this folder."""
        return file_lock(self.path / ".lock", timeout_s)

    def _portable(self, image: str) -> str:
        path = Path(os.path.normpath(self.path / image))
        if path.is_relative_to(self.path):
            return path.relative_to(self.path).as_posix()
        return str(path)

    def _require_folder(self) -> None:
        """To be called before anything is written: the folder is there, and no link, however new, leads out of it."""
        if not self.path.is_dir():
            raise ProjectError(f"there is no project folder {self.path} any more: open it where it is now")
        refuse_links_out(self.path)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._require_folder()
        with self.lock():
            yield

    @contextmanager
    def _changing_cases(self) -> Iterator[dict[str, Case]]:
        with self._writing():
            cases = self.cases
            before = {case_id: case.to_json() for case_id, case in cases.items()}
            yield cases
            if {case_id: case.to_json() for case_id, case in cases.items()} != before:
                write_cases(self.path / "cases.json", cases)


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(Path(path).expanduser()))
