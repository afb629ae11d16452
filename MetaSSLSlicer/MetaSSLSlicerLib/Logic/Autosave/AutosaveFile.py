"""The autosave of one open case, when another Slicer may have the same case open: neither writes over the other's."""

from __future__ import annotations

import logging
from itertools import count
from pathlib import Path

import numpy as np
from metassl.files import ProjectError, file_lock
from metassl.files.atomic import make_folder, remove_file
from metassl.imaging import Geometry
from metassl.project import Project

from .AutosaveFormat import NUMBER, SUFFIX, autosavePath, caseOf, writeAutosave
from .RescuedAutosaves import continues, rescueAutosave, rescuedAutosaves


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
        """Write it outside the project; returns where. Raises ProjectError when that fails as well."""
        path = rescueAutosave(
            project, caseOf(self.path), self._mark, lambda path: writeAutosave(path, array, geometry, labels, label)
        )
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
    return [usual, *usual.parent.glob(f"{_escaped(caseId)}{NUMBER}*{SUFFIX}")]


def _escaped(text: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text)
