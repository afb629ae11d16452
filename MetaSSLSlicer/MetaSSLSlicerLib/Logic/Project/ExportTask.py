"""Exports labels and predictions in a task, into a folder of its own."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from metassl.choices.exporters import Exported, export_project
from metassl.files import ProjectError
from metassl.project import Project

from ...Signal import Signal
from ...Translation import _
from ..Case.Session import Session


class ExportTask:
    """One export at a time; `progressText` tells how far it is."""

    def __init__(self, session: Session) -> None:
        self.finished = Signal()
        """(Exported or None) an export ended; None: it failed, and the session has said why."""
        self.isBusy = False
        self._session = session
        self._done = self._total = 0

    @property
    def progressText(self) -> str:
        """How far the export is; "" when none is at work."""
        if not self.isBusy:
            return ""
        return _("Exporting case {done} of {total} ...").format(done=self._done, total=self._total)

    def start(self, parent: str) -> None:
        """Export into a new folder inside `parent`."""
        project = self._session.project
        if project is None or self.isBusy:
            return
        self.isBusy, self._done, self._total = True, 0, len(project.cases)
        target = newFolder(Path(parent), project)
        self._session.tasks.run(lambda: export_project(project, target, report=self._report), self._over, self._failed)

    def _report(self, done: int, total: int, _case: str) -> None:
        """Called in the task: two numbers are all that is set here."""
        if self._session.isEnding:
            raise ProjectError(_("The export was given up, as Slicer is closing."))
        self._done, self._total = done, total

    def _over(self, result: Exported | None) -> None:
        self.isBusy = False
        self.finished.emit(result)

    def _failed(self, error: Exception) -> None:
        self._session.fail(error)
        self._over(None)


def newFolder(parent: Path, project: Project) -> Path:
    name = f"{project.path.name} export {datetime.now():%Y-%m-%d %H%M}"
    path, number = parent / name, 2
    while path.exists():
        path, number = parent / f"{name} ({number})", number + 1
    return path
