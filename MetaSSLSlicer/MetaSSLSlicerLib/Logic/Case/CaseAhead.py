"""The case that comes next, read while this one is looked at."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

from metassl.files.memory import memory_free
from metassl.imaging import read_geometry
from metassl.imaging.hashes import image_hashes
from metassl.project import Project

from ..Autosave.AutosaveFile import autosaveMark, autosaveMarks
from .CaseFiles import CaseData, mostTellingMap, readCase

MOST_BYTES = 1 << 30
_OF_FREE = 0.25
_BYTES_OF_CHANNEL, _BYTES_OF_MAPS = 4, 8  # of a voxel: label, prediction, regions, a map of floats, and one spare


@dataclass(frozen=True)
class ReadCase:
    """What was read of a case, and the marks of its files before."""

    project: Project
    marks: tuple
    data: CaseData

    def current(self) -> CaseData | None:
        """What was read, if no file has changed since. For a task; MetaSSLError when its files cannot be looked at."""
        return self.data if self.marks == _marks(self.project, self.data.caseId) else None


class CaseAhead:
    """Holds one case at most, and none that takes more than a gibibyte or a quarter of the memory that is free.

    Used on the GUI thread. `want` says which one; the reading begins in `tick`, when no case is being
    opened.
    """

    def __init__(self, session) -> None:
        self._session = session
        self._wanted = self._read = ""  # which one is to be read, and which one was, or could not be
        self._held: ReadCase | None = None
        session.projectChanged.connect(partial(self.want, ""))
        session.roundsChanged.connect(self.forget)
        session.structuresChanged.connect(self.forget)
        session.casesChanged.connect(self._onCasesChanged)

    @property
    def caseId(self) -> str:
        """The case that is held; "" for none."""
        return "" if self._held is None else self._held.data.caseId

    def want(self, caseId: str) -> None:
        """The case that comes next is this one; "" for none."""
        if caseId != self._wanted:
            self._wanted = caseId
            self.forget()

    def forget(self, *_ignored: object) -> None:
        """Something of the project changed: read it again."""
        self._held, self._read = None, ""

    def tick(self) -> None:
        """Begin to read, if it is time to. Call it a few times a second."""
        session, caseId = self._session, self._wanted
        if not caseId or caseId == self._read or session.case is None or session.loadingCase is not None:
            return
        if session.project is None or session.writes.isWriting(caseId):
            return
        project, self._read = session.project, caseId

        def arrived(held: ReadCase | None) -> None:
            if caseId == self._read and project is session.project:
                self._held = held

        # what is wrong with it, it says when it is opened
        session.tasks.run(partial(_readAhead, project, caseId, session.writes.ours), arrived, lambda _error: None)

    def take(self, caseId: str) -> ReadCase | None:
        """What was read of this case, if it was; it is not held any more."""
        held = self._held
        if held is None or held.project is not self._session.project or held.data.caseId != caseId:
            return None
        self._held = None
        return held

    def _onCasesChanged(self, caseIds: Collection[str] | None = None) -> None:
        if caseIds is None or self._wanted in caseIds:
            self.forget()


def _readAhead(project: Project, caseId: str, ours: Collection[str]) -> ReadCase | None:
    """None for a case that is too large."""
    free = memory_free()
    if _bytesOf(project, caseId) > min(MOST_BYTES, MOST_BYTES if free is None else _OF_FREE * free):
        return None
    marks = _marks(project, caseId)
    data = readCase(project, caseId, ours)
    data.heat = None if data.prediction is None else mostTellingMap(data)
    return ReadCase(project, marks, data)


def _bytesOf(project: Project, caseId: str) -> int:
    paths = project.image_paths(caseId)
    x, y, z = read_geometry(paths[0], caseId).size_xyz
    return x * y * z * (_BYTES_OF_CHANNEL * max(len(paths), len(project.channels)) + _BYTES_OF_MAPS)


def _marks(project: Project, caseId: str) -> tuple:
    """All that tells one state of a case from another, from looking at its files."""
    case, found = project.case(caseId), project.prediction(caseId)
    files = [project.accepted_label(caseId), project.label_path(caseId)]
    if found is not None:
        files += [found[1].segmentation, found[1].regions, found[1].summary]
    hashes = image_hashes(project.image_paths(case), caseId)  # reads what has changed, and nothing else
    number = None if found is None else found[0].number
    return case, hashes, number, [autosaveMark(path) for path in files], autosaveMarks(project, caseId)
