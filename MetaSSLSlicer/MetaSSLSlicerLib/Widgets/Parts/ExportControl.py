"""The lines for an export in the section "Rounds": which format, what of the project, and how far it has come."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import qt
from metassl.choices.exporters import EXPORTERS, Exported

from ...Logic.Case.Session import Session
from ...Logic.Engine.EnginePython import EnginePython
from ...Logic.Project.ProjectExport import FORMATS, ProjectExport, contentsOf
from ...Translation import _
from ..Section import Section, onClick, withoutSignals
from .MissingTerms import offerTerms
from .TermPicker import chooseTerminology

_PROGRESS_MS = 300


class ExportControl(Section):
    """`ui` has the combo boxes, the button and the label. `chooseFolder(title, start)` asks the user for a folder."""

    def __init__(self, session: Session, ui, engine: EnginePython, chooseFolder: Callable[[str, str], str]) -> None:
        super().__init__(session)
        self.ui, self._chooseFolder = ui, chooseFolder
        self.export = ProjectExport(session, engine)
        self.chooseTerm = lambda entry, name: chooseTerminology(entry, ui.exportButton, name)
        self._formats = FORMATS()
        for text in self._formats.values():
            ui.formatCombo.addItem(text)
        self._timer = self.makeTimer(_PROGRESS_MS, self._showProgress)
        onClick((ui.exportButton, self.start))
        ui.formatCombo.connect("currentIndexChanged(int)", lambda _index: self._showContents())
        self.listen((self.export.changed, self.refresh), (self.export.finished, self._tell))
        self._showContents()
        self.refresh()

    def cleanup(self) -> None:
        super().cleanup()
        self.export.close()

    @property
    def format(self) -> str:
        return list(self._formats)[max(self.ui.formatCombo.currentIndex, 0)]

    def choose(self, format: str) -> None:
        """Choose a format."""
        self.ui.formatCombo.setCurrentIndex(list(self._formats).index(format))

    def start(self) -> None:
        """Write into a new folder inside one that the user chooses."""
        project = self._session.project
        if project is None or self.export.isBusy:
            return
        if EXPORTERS[self.format].terms and offerTerms(self._session, self.chooseTerm, self.start):
            return
        parent = self._chooseFolder(_("Where to put the folder of exported files"), str(project.path.parent))
        if parent:
            what, _name = contentsOf(self.format)[max(self.ui.contentCombo.currentIndex, 0)]
            self.export.start(Path(parent), self.format, what)

    def refresh(self) -> None:
        busy = self.export.isBusy
        for part in (self.ui.exportButton, self.ui.formatCombo, self.ui.contentCombo):
            part.setEnabled(not busy)
        if busy:
            self._timer.start()
        else:
            self._timer.stop()
        self._showProgress()

    def _showContents(self) -> None:
        combo, contents = self.ui.contentCombo, contentsOf(self.format)
        with withoutSignals(combo):
            combo.clear()
            for _what, name in contents:
                combo.addItem(name)
        self.ui.exportButton.toolTip = EXPORTERS[self.format].summary

    def _showProgress(self) -> None:
        self.export.poll()
        done, total = self.export.progress
        text = _("Exporting case {done} of {total} ...").format(done=done, total=total) if total else _("Exporting ...")
        self.ui.progressLabel.setVisible(self.export.isBusy)
        self.ui.progressLabel.text = text

    def _tell(self, text: str, result: Exported) -> None:
        level = "warning" if result.failed or result.notes else "info"
        url = qt.QUrl.fromLocalFile(str(result.folder))
        self._session.say(level, text, _("Open the folder"), lambda: qt.QDesktopServices.openUrl(url))
