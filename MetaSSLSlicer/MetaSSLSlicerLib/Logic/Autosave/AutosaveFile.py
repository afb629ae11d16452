"""The autosave of one open case, when another Slicer may have the same case open, or the project cannot be written to.

Neither Slicer writes over what the other wrote. What cannot be written into the project when Slicer closes waits in the
user's own folder: it comes back with its case, and goes when the project holds what is in it.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import secrets
from itertools import count
from pathlib import Path

import numpy as np
from metassl.files import ProjectError, file_lock
from metassl.files.atomic import make_folder, remove_file
from metassl.imaging import Geometry
from metassl.project import Project

from .AutosaveFormat import NUMBER, SUFFIX, autosavePath, caseOf, writeAutosave

RESCUED = "MetaSSL unsaved work"


def autosaveMarks(project: Project, caseId: str) -> dict[Path, tuple]:
    """The autosaves of a case and their marks, the newest first, also those that were rescued."""
    rescued = [path for path, case in rescuedAutosaves(project).items() if case == caseId]
    found = [*_inProject(project, caseId), *rescued]
    marks = {path: mark for path in found if (mark := autosaveMark(path)) is not None}
    return dict(sorted(marks.items(), key=lambda entry: timeOf(entry[1]), reverse=True))


def autosaveMark(path: Path) -> tuple | None:
    """Changes whenever the file is written; None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def timeOf(mark: tuple) -> float:
    """When the file of a mark was written, in seconds since 1970."""
    return mark[0] / 1e9


def rescuedAutosaves(project: Project) -> dict[Path, str]:
    """What waits for the project outside it: {file: its case}."""
    folder = _rescueFolder(project)
    try:
        found = [] if folder is None else list(folder.glob(f"[!.]*{NUMBER}*{SUFFIX}"))
    except OSError:  # a home that may not be looked into
        found = []
    return {path: caseOf(path) for path in found}


def continues(rescued: Path, mark: tuple | None) -> bool:
    """Whether a rescued file goes on where the autosave with this mark ended."""
    return mark is not None and rescued.name.partition(NUMBER)[2].startswith(f"{mark[0]}-")


class AutosaveFile:
    """`path` and `mark`: of the autosave that the case was opened with. Used in tasks, one after the other."""

    def __init__(self, path: Path, mark: tuple | None) -> None:
        self.path, self._mark = path, mark
        self._rescued: Path | None = None
        self._companyFound = False

    @classmethod
    def opened(cls, project: Project, caseId: str, path: Path, mark: tuple | None) -> AutosaveFile:
        """For the autosave in `path`, see `autosaveMarks`. Of a rescued one: for its place in the project."""
        usual = autosavePath(project, caseId)
        if path.parent == usual.parent:
            return cls(path, mark)
        marks = {each: autosaveMark(each) for each in _inProject(project, caseId)}
        place = next((each for each, mark in marks.items() if continues(path, mark)), None)
        file = cls(place or usual, marks.get(place))
        file._rescued = path
        return file

    def isNewCompany(self) -> bool:
        """True, once, after another Slicer was found to work on the same case."""
        found, self._companyFound = self._companyFound, False
        return found

    def write(self, array: np.ndarray, geometry: Geometry, labels, label: str | None) -> None:
        """Write it, as `writeAutosave` does. Where a file lies that is not the one we know: to a place of our own."""
        with self._guard():
            if autosaveMark(self.path) not in (None, self._mark):
                self._companyFound = True
                self.path = self._freePlace()
            writeAutosave(self.path, array, geometry, labels, label)
            self._mark = autosaveMark(self.path)
        self._removeRescued()

    def rescue(self, project: Project, array: np.ndarray, geometry: Geometry, labels, label: str | None) -> Path:
        """Write it to a file of its own outside the project; returns where. ProjectError when that fails as well."""
        caseId, folder = caseOf(self.path), _rescueFolder(project)
        if folder is None:
            raise ProjectError(f"case {caseId}: there is no home folder to keep the unsaved work in")
        make_folder(folder.parent)
        with contextlib.suppress(OSError):
            folder.parent.chmod(0o700)
        make_folder(folder)
        continued = self._mark[0] if self._mark else 0
        path = folder / f"{caseId}{NUMBER}{continued}-{secrets.token_hex(4)}{SUFFIX}"
        writeAutosave(path, array, geometry, labels, label)
        self._removeRescued()  # the former one, which this one goes on from
        self._rescued = path
        return path

    def remove(self) -> None:
        """Remove it: its edits are saved, or were thrown away. What another Slicer wrote stays."""
        with self._guard():
            if autosaveMark(self.path) == self._mark:
                remove_file(self.path)
        self._removeRescued()

    def _removeRescued(self) -> None:
        """Afterwards what it held is in the project. If it cannot be removed, it comes back as older work."""
        rescued, self._rescued = self._rescued, None
        try:
            if rescued is not None:
                remove_file(rescued)
        except ProjectError as error:
            logging.warning(str(error))

    def _freePlace(self) -> Path:
        names = (f"{caseOf(self.path)}{NUMBER}{number}{SUFFIX}" for number in count(2))
        return next(path for name in names if not (path := self.path.with_name(name)).exists())

    def _guard(self):
        return file_lock(make_folder(self.path.parent, parents=False) / ".lock")


def _inProject(project: Project, caseId: str) -> list[Path]:
    usual = autosavePath(project, caseId)
    escaped = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in caseId)
    return [usual, *usual.parent.glob(f"{escaped}{NUMBER}*{SUFFIX}")]


def _rescueFolder(project: Project) -> Path | None:
    """A project is known again by when it was made: it may be moved, and another may be made in its place."""
    key = project.created or str(project.path)
    name = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    try:
        return Path.home() / RESCUED / name
    except RuntimeError:  # nobody knows where it is
        return None
