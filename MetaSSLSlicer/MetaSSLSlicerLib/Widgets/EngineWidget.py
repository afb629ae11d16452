"""The section "Setup": which Python trains, whether it can, and installing what it lacks."""

from __future__ import annotations

from collections.abc import Callable

import slicer.util
from metassl.files import MetaSSLError

from ..Logic.Engine.Dependencies import Dependencies, SlicerPackages
from ..Logic.Engine.EnginePython import EnginePython
from ..Logic.Engine.EngineSetup import EngineSetup
from ..Translation import _
from .Parts.SetupNotice import SetupNotice
from .Section import Section, chooseFile, loadUi, onClick
from .userSettings import userSettings

PYTHON_KEY = "MetaSSL/python"
_POLL_MS = 200
_MARKS = {"ok": "✓", "note": "•", "failed": "✗"}


class EngineWidget(Section):
    """`setup` is what it shows; `notice` stands at the top of the panel while something is missing or installed."""

    def __init__(
        self, session, python: EnginePython, dependencies: Dependencies | None = None, confirm=None, choosePython=None
    ) -> None:
        """`confirm(question)` asks before Train installs anything; `choosePython()` returns a program's path, or ""."""
        super().__init__(session)
        self.widget, self.ui = loadUi("EngineWidget")
        self._confirm = confirm or slicer.util.confirmOkCancelDisplay
        self._choosePython = choosePython or (lambda: chooseFile(_("The program of a Python with torch and monai")))
        self._afterwards: Callable[[], None] | None = None
        self.setup = EngineSetup(python, dependencies or Dependencies(SlicerPackages()))
        self.notice = SetupNotice(self.setup)
        self._timer = self.makeTimer(_POLL_MS, self.setup.poll)
        self._restore(userSettings().value(PYTHON_KEY, ""))
        onClick(
            (self.ui.checkButton, self._onCheck),
            (self.ui.useButton, lambda: self._use(self.ui.pathEdit.currentPath)),
            (self.ui.ownButton, lambda: self._show("")),
        )
        self.ui.section.connect("contentsCollapsed(bool)", self._onCollapsed)
        self.listen(
            (self.notice.installWanted, self.install),
            (self.notice.otherWanted, self._onOther),
            (self.notice.checkWanted, self.setup.lookAgain),
            (self.setup.changed, self._refresh),
            (self.setup.installed, self._onInstalled),
            (session.projectChanged, self._onProjectChanged),
        )
        self._refresh()
        if python.isOwn:
            session.tasks.run(self.setup.dependencies.missing, self.setup.take)
        self._onProjectChanged()

    def cleanup(self) -> None:
        super().cleanup()
        self.setup.close()

    def install(self) -> None:
        """Begin to install what is missing, unless that goes on already. Why it cannot be is told."""
        try:
            self.setup.install()
        except MetaSSLError as error:
            self._session.fail(error)

    def installFor(self, action: Callable[[], None]) -> None:
        """Ask, install what is missing, and do `action` when everything is there."""
        if self.setup.state == "installing":
            self._session.say("info", _("The installation goes on; the top of the panel shows it."))
            return
        missing = self.setup.missing
        if obstacle := self.setup.dependencies.obstacle(missing):
            self._session.fail(MetaSSLError(obstacle))
            return
        question = _("Training needs {packages}. Slicer downloads and installs this now, which takes some minutes.")
        if self._confirm(question.format(packages=self.setup.dependencies.describe(missing))):
            self._afterwards = action
            self.install()

    def _onInstalled(self, renewed: list[str]) -> None:
        action, self._afterwards = self._afterwards, None
        if renewed:
            text = _("{names} was renewed while Slicer uses it. Restart Slicer before you go on.")
            self._session.say(
                "warning", text.format(names=", ".join(renewed)), _("Restart Slicer"), slicer.util.restart
            )
            return
        self._session.say("info", _("Everything that training needs is installed."))
        if action is not None:
            action()

    def _restore(self, path: object) -> None:
        path = str(path or "")
        self.ui.pathEdit.setCurrentPath(path)
        self.ui.pythonGroup.collapsed = not path
        try:
            self.setup.python.use(path)
        except MetaSSLError:
            self.setup.python.path = path  # the check says that it is gone; it may come back

    def _onProjectChanged(self) -> None:
        if self._session.project is not None:
            self.setup.lookOnce()

    def _onCollapsed(self, collapsed: bool) -> None:
        if not collapsed:
            self.setup.lookOnce()

    def _onCheck(self) -> None:
        self.ui.findingsGroup.collapsed = False
        self.setup.lookAgain()

    def _onOther(self) -> None:
        path = self._choosePython()
        if path:
            self._show(path)

    def _show(self, path: str) -> None:
        self.ui.pathEdit.setCurrentPath(path)
        self._use(path)

    def _use(self, path: str) -> None:
        try:
            self.setup.usePython(path)
        except MetaSSLError as error:
            self._session.fail(error)
            return
        userSettings().setValue(PYTHON_KEY, self.setup.python.path)

    def _refresh(self) -> None:
        setup, ui = self.setup, self.ui
        state = setup.state
        waits = state in ("checking", "installing")
        if waits != self._timer.active:
            self._timer.start() if waits else self._timer.stop()
        if state == "missing" and setup.installation is not None:
            self._afterwards = None  # an installation that did not end well starts nothing later
        self.notice.refresh()
        ui.summaryLabel.text = self._summary()
        detail = self._detail()
        ui.detailLabel.text = detail
        ui.detailLabel.setVisible(bool(detail))
        ui.checkButton.setEnabled(not waits)
        ui.useButton.setEnabled(state != "installing")
        ui.ownButton.setEnabled(not setup.python.isOwn and state != "installing")
        findings = setup.check.findings if setup.check is not None else ()
        ui.findingsGroup.setVisible(bool(findings))
        ui.findingsLabel.text = "\n".join(f"{_MARKS.get(state, '•')} {name}: {text}" for state, name, text in findings)

    def _summary(self) -> str:
        state = self.setup.state
        if state == "installing":
            return self.setup.installation.headline
        if state == "ready":
            return _("Ready: trains on {device}").format(device=self.setup.check.deviceName)
        if state == "missing":
            return _("Something is still to be installed")
        if state == "failed":
            return _("This computer cannot train yet")
        return _("Checking this computer ...") if state == "checking" else _("Not checked yet")

    def _detail(self) -> str:
        setup = self.setup
        if setup.state == "missing":
            return _("Training needs {packages}.").format(packages=setup.dependencies.describe(setup.missing))
        if setup.state == "failed":
            return setup.check.explanation
        if setup.state == "ready":
            text = _("{python}, torch {version}")
            return text.format(python=setup.python.description, version=setup.check.torchVersion)
        return setup.python.description
