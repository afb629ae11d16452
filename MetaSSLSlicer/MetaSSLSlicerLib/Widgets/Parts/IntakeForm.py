"""The part of the section "Cases" that takes more cases, or labels of many cases, into the open project."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from metassl.files import MetaSSLError, ProjectError
from metassl.project import Project
from metassl.project.words import plural, sentence

from ...Logic.Case.Session import Session
from ...Logic.Project.MoreCases import MoreCases, MoreLabels, Offered, Taken
from ...Translation import _
from ..Section import Section, onClick, scrollAreaOf, showLines

_LOOK_AFTER_MS = 400
_LAID_OUT_MS = 50


class IntakeForm(Section):
    """Shows what a folder holds before anything is taken; both happens in tasks."""

    def __init__(
        self, session: Session, ui, chooseFolder: Callable[[str, str], str], chooseFile: Callable[[str], str]
    ) -> None:
        super().__init__(session)
        self.ui, self._chooseFolder, self._chooseFile = ui, chooseFolder, chooseFile
        self.offered: Offered | None = None
        self._kind: type[MoreCases] | type[MoreLabels] = MoreCases
        self._looking: object = None
        self._isTaking = False
        self._lookTimer = self.makeTimer(_LOOK_AFTER_MS, self._look, once=True)
        self._viewTimer = self.makeTimer(_LAID_OUT_MS, self._bringIntoView, once=True)
        ui.intakeEdit.connect("textChanged(QString)", lambda _text: self._onPathChanged())
        ui.intakeCheck.connect("toggled(bool)", lambda _on: self._refresh())
        onClick(
            (ui.addCasesButton, lambda: self.open(MoreCases)),
            (ui.addLabelsButton, lambda: self.open(MoreLabels)),
            (ui.intakeBrowse, self._browse),
            (ui.intakeFileBrowse, self._browseFile),
            (ui.intakeTake, self._take),
            (ui.intakeClose, self.close),
        )
        self.close()

    def open(self, kind: type[MoreCases] | type[MoreLabels]) -> None:
        """Ask for a folder of cases, or of labels."""
        if self._isTaking:
            return
        self.close()
        ui, self._kind = self.ui, kind
        isCases = kind is MoreCases
        ui.intakeTitle.text = _("Add cases") if isCases else _("Add labels of cases")
        ui.intakeEdit.placeholderText = _("The folder with the images") if isCases else _("The folder with the labels")
        ui.intakeCheck.text = _("With their labels") if isCases else _("Replace labels that are there")
        ui.intakeFileBrowse.setVisible(isCases)
        ui.intakeFrame.setVisible(True)
        self._viewTimer.start()
        self._browse()

    def close(self) -> None:
        """Take the form away, and give up a search that is under way."""
        self._lookTimer.stop()
        self.offered = self._looking = None
        self.ui.intakeEdit.text = ""
        self._lookTimer.stop()
        self._show("", "")
        self.ui.intakeFrame.setVisible(False)

    def cleanup(self) -> None:
        super().cleanup()
        self.offered = self._looking = None

    # Looking

    def _browse(self) -> None:
        self._choose(self._chooseFolder(self.ui.intakeEdit.placeholderText, self.ui.intakeEdit.text))

    def _browseFile(self) -> None:
        self._choose(self._chooseFile(_("A table of cases (CSV) or an image")))

    def _choose(self, path: str) -> None:
        if path:
            self.ui.intakeEdit.text = path
            self._lookTimer.stop()
            self._look()

    def _onPathChanged(self) -> None:
        self.offered = self._looking = None
        self._show("", "")
        self._lookTimer.start()

    def _look(self) -> None:
        text, project, kind = self.ui.intakeEdit.text.strip(), self._session.project, self._kind
        if not text or project is None or self._isTaking:
            return
        self._looking = token = object()
        self._show(_("Looking into the folder..."), "")

        def goOn() -> None:
            if token is not self._looking or self._session.isEnding:
                raise ProjectError(_("The search was given up."))

        def done(offered: Offered) -> None:
            if token is self._looking and project is self._session.project:
                self._onFound(offered)

        def failed(error: Exception) -> None:
            if token is self._looking:
                self._looking = None
                self._fail(error)

        self._session.tasks.run(lambda: kind.look(project, Path(text).expanduser(), goOn), done, failed)

    def _onFound(self, offered: Offered) -> None:
        self._looking, self.offered = None, offered
        self.ui.intakeCheck.checked = self._kind is MoreCases and not offered.problem and offered.labels > 0
        self._show("", offered.text)

    # Taking

    def _take(self) -> None:
        offered, project, kind = self.offered, self._session.project, self._kind
        if offered is None or project is None or self._isTaking:
            return
        chosen = self.ui.intakeCheck.checked
        self._isTaking = True
        self._refresh()
        self._session.tasks.run(
            lambda: kind.take(project, offered, chosen),
            lambda taken: self._onTaken(project, taken),
            lambda error: self._onNotTaken(project, error),
        )

    def _onTaken(self, project: Project, taken: Taken) -> None:
        self._isTaking, self.offered = False, None
        if project is self._session.project:
            self._session.casesChanged.emit(None)
        if not taken.warnings or project is not self._session.project:
            self.close()
            self._session.say("info", taken.text)
        else:
            number = plural(len(taken.warnings), _("1 thing to know"), _("{count} things to know"))
            text = _("{text} There is {number}:") if len(taken.warnings) == 1 else _("{text} There are {number}:")
            self._show(text.format(text=taken.text, number=number), "\n".join(map(sentence, taken.warnings)))

    def _onNotTaken(self, project: Project, error: Exception) -> None:
        self._isTaking = False
        if project is self._session.project:
            self._session.casesChanged.emit(None)  # what came in before it failed
        self._fail(error)

    def _fail(self, error: Exception) -> None:
        if not isinstance(error, MetaSSLError):
            self._session.fail(error)
        self._show(sentence(error), "")

    # Showing

    def _show(self, text: str, lines: str) -> None:
        self.ui.intakeLabel.text = text
        self.ui.intakeLabel.setVisible(bool(text))
        showLines(self.ui.intakeText, lines)
        self._refresh()
        self._viewTimer.start()

    def _bringIntoView(self) -> None:
        """The form stands below the table, where a low screen ends."""
        area = scrollAreaOf(self.ui.intakeFrame)
        if area is not None and self.ui.intakeFrame.isVisible():
            area.ensureWidgetVisible(self.ui.intakeFrame)

    def _refresh(self) -> None:
        ui, offered = self.ui, self.offered
        isCases = self._kind is MoreCases
        isReady = offered is not None and not self._isTaking
        ui.intakeBar.setVisible(self._isTaking or self._looking is not None)
        for part in (ui.intakeEdit, ui.intakeBrowse, ui.intakeFileBrowse, ui.intakeClose, ui.intakeCheck):
            part.setEnabled(not self._isTaking)
        hasChoice = offered is not None and not offered.problem
        hasChoice = hasChoice and bool(offered.labels if isCases else offered.replaceable)
        ui.intakeCheck.setVisible(hasChoice)
        ui.intakeTake.setVisible(offered is not None)
        ui.intakeTake.text = _("Add these cases") if isCases else _("Take these labels")
        some = isCases or (
            offered is not None
            and not offered.problem
            and bool(offered.labels or (offered.replaceable and ui.intakeCheck.checked))
        )
        ui.intakeTake.setEnabled(isReady and some)
