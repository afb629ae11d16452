"""The part of the form for a new project that says which model it begins with, if any."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from metassl.choices.importers import start_model
from metassl.files import ProjectError
from metassl.project.words import sentence

from ..Logic.Case.Session import Session
from ..Signal import Signal
from ..Translation import _
from .Section import Section, onClick

_LOOK_AFTER_MS = 400


class ModelForm(Section):
    """A folder, which is looked into as soon as it is chosen: of nnU-Net, a project, a round or a bundle."""

    def __init__(self, session: Session, ui, chooseFolder: Callable[[str, str], str]) -> None:
        super().__init__(session)
        self.found = Signal()
        """() `model` is there, or is no more."""
        self.model: Any = None
        self.ui, self._chooseFolder = ui, chooseFolder
        self._looking: Path | None = None
        self._lookTimer = self.makeTimer(_LOOK_AFTER_MS, self._look, once=True)
        ui.modelEdit.connect("textChanged(QString)", lambda _text: self._onChanged())
        onClick((ui.modelBrowse, self._browse))

    @property
    def chosen(self) -> Any:
        """The model, None where none is asked for. ProjectError where the folder holds none, or is not read yet."""
        if self.ui.modelEdit.text.strip() and self.model is None:
            raise ProjectError(self.ui.modelFoundLabel.text or _("The folder of the model is still looked into."))
        return self.model

    def open(self) -> None:
        """Begin afresh, with none."""
        self.ui.modelEdit.text = ""
        self._onChanged()
        self._lookTimer.stop()

    def _browse(self) -> None:
        path = self._chooseFolder(_("The folder of the model"), self.ui.modelEdit.text)
        if path:
            self.ui.modelEdit.text = path
            self._lookTimer.stop()
            self._look()

    def _onChanged(self) -> None:
        self.model, self._looking = None, None
        self._show("")
        self._lookTimer.start()
        self.found.emit()

    def _look(self) -> None:
        text = self.ui.modelEdit.text.strip()
        if not text:
            return
        folder = self._looking = Path(text).expanduser()

        def done(model: Any) -> None:
            if folder is self._looking:
                self.model = model
                names = ", ".join(label.name for label in model.definitions())
                self._show(_("Before any label, the first round predicts with it: {names}.").format(names=names))
                self.found.emit()

        def failed(error: Exception) -> None:
            if folder is self._looking:
                self._show(sentence(error))

        self._session.tasks.run(lambda: start_model([folder]), done, failed)

    def _show(self, text: str) -> None:
        self.ui.modelFoundLabel.text = text
        self.ui.modelFoundLabel.setVisible(bool(text))
