"""Labels, predictions or the model for other programs: what there is to choose from, the work, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from metassl.choices.exporters import EXPORTER_CATALOG, EXPORTERS, Exported, export_project
from metassl.files import MetaSSLError, ProjectError
from metassl.project import Project
from metassl.project.words import plural, said_once, sentence

from ...Signal import Signal
from ...Translation import _
from ..Case.Session import Session
from ..Engine.EnginePython import EnginePython
from ..Engine.EngineRun import EngineRun

_TOLD = 3


def FORMATS() -> dict[str, str]:
    """What to call each format, in the order of the catalogue; one of another package by its own title."""
    ours = {
        "nifti": _("NIfTI files and tables"),
        "nnunet": _("Data set for nnU-Net"),
        "seg-nrrd": _("Segmentations of Slicer"),
        "dicom-seg": _("DICOM segmentations"),
        "bundle": _("Model, as a MONAI bundle"),
        "measurements": _("Table of volumes"),
    }
    return {each.name: ours.get(each.name, each.title) for each in EXPORTER_CATALOG}


def contentsOf(format: str) -> list[tuple[tuple[str, ...], str]]:
    """What of a project a format can be given, and what to call it."""
    names = {"labels": _("Labels"), "predictions": _("Predictions")}
    takes = EXPORTERS[format].takes
    single = [((what,), names[what]) for what in takes]
    if len(takes) == 1:
        return single
    return [(takes, _("Labels and predictions") if takes else _("Model")), *single]


class ProjectExport:
    """One export at a time, in a thread or, where the format needs the engine's packages, in the engine's Python."""

    def __init__(self, session: Session, engine: EnginePython) -> None:
        self.changed = Signal()
        """() an export began or ended."""
        self.finished = Signal()
        """(text, Exported) it is written."""
        self._session, self._run = session, EngineRun(engine)
        self._inThread = False
        self._what: tuple[str, ...] = ()
        self.progress = 0, 0
        """Cases that are written, of how many; none where that is not known."""

    @property
    def isBusy(self) -> bool:
        return self._inThread or self._run.isBusy

    def start(self, parent: Path, format: str, what: Sequence[str]) -> None:
        """Write into a new folder inside `parent`."""
        project = self._session.project
        if project is None or self.isBusy:
            return
        folder = _newFolder(parent, project)
        self._what, self.progress = tuple(what), (0, 0)
        if EXPORTERS[format].engine:
            only = ["--only", *what] if len(what) == 1 else []
            try:
                self._run.start(["export", project.path, folder, "--format", format, *only, "--json"])
            except MetaSSLError as error:
                self._session.fail(error)
        else:
            self._inThread = True
            self._session.tasks.run(
                lambda: export_project(project, folder, self._what, self._report, format), self._end, self._failed
            )
        self.changed.emit()

    def poll(self) -> None:
        """Take in the end of the engine's work. Returns at once."""
        result = self._run.poll()
        if result is None:
            return
        if result.json is None or "folder" not in result.json:
            self._failed(ProjectError(result.text))
        else:
            self._end(Exported(**{**result.json, "folder": Path(result.json["folder"])}))

    def close(self) -> None:
        """End what the engine is at; a thread ends with the session."""
        self._run.close()

    def _report(self, done: int, total: int, _case: str) -> None:  # called in the task: two numbers are all that is set
        if self._session.isEnding:
            raise ProjectError(_("The export was given up, as Slicer is closing."))
        self.progress = done, total

    def _end(self, result: Exported) -> None:
        self._inThread = False
        self.changed.emit()
        self.finished.emit(exportedText(result, self._what), result)

    def _failed(self, error: Exception) -> None:
        self._inThread = False
        self._session.fail(error)
        self.changed.emit()


def exportedText(result: Exported, what: Sequence[str]) -> str:
    """What was written of `what`, what was not, and what is not as in the project."""
    parts = [result.made] if result.made else []
    if "labels" in what:
        parts.append(plural(len(result.labels), _("1 label"), _("{count} labels")))
    if "predictions" in what:
        parts.append(plural(len(result.predictions), _("1 prediction"), _("{count} predictions")))
    said = [_("Exported {what} to {folder}.").format(what=_(" and ").join(parts), folder=result.folder)]
    if result.failed:
        said.append(_("Left out: {reasons}").format(reasons=_first(list(result.failed.values()))))
    if result.notes:
        said.append(_first([sentence(note) for note in said_once(result.notes)], " "))
    return " ".join(said)


def _first(texts: Sequence[str], between: str = "; ") -> str:
    more = len(texts) - _TOLD
    return between.join(texts[:_TOLD]) + (" " + _("({count} more)").format(count=more) if more > 0 else "")


def _newFolder(parent: Path, project: Project) -> Path:
    name = f"{project.path.name} export {datetime.now():%Y-%m-%d %H%M}"
    path, number = parent / name, 2
    while path.exists():
        path, number = parent / f"{name} ({number})", number + 1
    return path
