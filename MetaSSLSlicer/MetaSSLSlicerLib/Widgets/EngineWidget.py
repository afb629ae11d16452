"""The section "Setup": which Python trains, whether it can, and how to make it."""

from __future__ import annotations

import qt
import slicer
from metassl.project import MetaSSLError

from ..Logic.Dependencies import Dependencies
from ..Logic.EnginePython import EnginePython
from ..Logic.EngineSetup import EngineSetup
from ..Logic.SlicerPackages import SlicerPackages
from ..Translation import _
from .loadUi import loadUi
from .userAction import userAction
from .userSettings import userSettings

PYTHON_KEY = "MetaSSL/python"
_POLL_MS = 200
_MARKS = {"ok": "✓", "note": "•", "failed": "✗"}


class EngineWidget:
    """`setup` is what it shows; `install()` is also what Train calls when something is missing."""

    def __init__(self, session, python: EnginePython, dependencies: Dependencies | None = None) -> None:
        self._session = session
        self._isInstalling = False
        dependencies = dependencies or Dependencies(SlicerPackages(), self._confirm)
        self.setup = EngineSetup(python, dependencies)
        self.widget, self.ui = loadUi("EngineWidget")
        self._timer = qt.QTimer()
        self._timer.setInterval(_POLL_MS)
        self._timer.connect("timeout()", self.setup.poll)
        self._restore(userSettings().value(PYTHON_KEY, ""))
        self.ui.checkButton.connect("clicked(bool)", userAction(self._onCheck))
        self.ui.installButton.connect("clicked(bool)", userAction(self._onInstall))
        self.ui.useButton.connect("clicked(bool)", userAction(self._onUse))
        self.ui.ownButton.connect("clicked(bool)", userAction(self._onOwn))
        self.ui.section.connect("contentsCollapsed(bool)", self._onCollapsed)
        self.setup.changed.connect(self._refresh)
        session.projectChanged.connect(self._onProjectChanged)
        self._refresh()
        self._onProjectChanged()

    def cleanup(self) -> None:
        """Let go of the session, the timer and the child process."""
        self._timer.stop()
        self._session.projectChanged.disconnect(self._onProjectChanged)
        self.setup.changed.disconnect(self._refresh)
        self.setup.close()

    def install(self) -> bool:
        """Ask, install what is missing, and return whether everything is there now. Errors are told.

        Slicer answers between two lines of pip's output: False when it was asked for again meanwhile.
        """
        if self._isInstalling:
            return False
        self._isInstalling = True
        try:
            return self.setup.install()
        except MetaSSLError as error:
            if self.setup.dependencies.lacksExtension():
                action = slicer.app.openExtensionsManagerDialog
                self._session.say("error", str(error), _("Open the Extensions Manager"), action)
            else:
                self._session.fail(error)
            return False
        finally:
            self._isInstalling = False
            qt.QApplication.restoreOverrideCursor()
            self._refresh()

    def _confirm(self, question: str) -> bool:
        agreed = slicer.util.confirmOkCancelDisplay(question)
        if agreed:
            qt.QApplication.setOverrideCursor(qt.Qt.WaitCursor)
            self._refresh()
            slicer.app.processEvents()
        return agreed

    def open(self) -> None:
        """Show the section's contents."""
        self.ui.section.collapsed = False

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

    def _onCheck(self, _checked: bool = False) -> None:
        self.ui.findingsGroup.collapsed = False
        self.setup.lookAgain()

    def _onInstall(self, _checked: bool = False) -> None:
        if self.install():
            self._session.say("info", _("Everything that training needs is installed."))

    def _onUse(self, _checked: bool = False) -> None:
        self._use(self.ui.pathEdit.currentPath)

    def _onOwn(self, _checked: bool = False) -> None:
        self.ui.pathEdit.setCurrentPath("")
        self._use("")

    def _use(self, path: str) -> None:
        try:
            self.setup.usePython(path)
        except MetaSSLError as error:
            self._session.fail(error)
            return
        userSettings().setValue(PYTHON_KEY, self.setup.python.path)

    def _refresh(self) -> None:
        setup, ui = self.setup, self.ui
        checking = setup.state == "checking"
        if checking != self._timer.active:
            self._timer.start() if checking else self._timer.stop()
        ui.summaryLabel.text = self._summary()
        detail = self._detail()
        ui.detailLabel.text = detail
        ui.detailLabel.setVisible(bool(detail))
        ui.installButton.setVisible(setup.state == "missing")
        ui.installButton.setEnabled(not self._isInstalling)
        ui.checkButton.setEnabled(not checking and not self._isInstalling)
        ui.ownButton.setEnabled(not setup.python.isOwn and not self._isInstalling)
        findings = setup.check.findings if setup.check is not None else ()
        ui.findingsGroup.setVisible(bool(findings))
        ui.findingsLabel.text = "\n".join(f"{_MARKS.get(state, '•')} {name}: {text}" for state, name, text in findings)
        if setup.state == "failed":
            ui.section.collapsed = False

    def _summary(self) -> str:
        state = self.setup.state
        if self._isInstalling:
            return _("Installing ... this takes some minutes")
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
            text = _("Training needs {packages}. Slicer downloads and installs it once.")
            return text.format(packages=setup.dependencies.describe(setup.missing))
        if setup.state == "failed":
            advice = setup.check.advice
            return setup.check.problem + (_("\nWhat to do: {advice}").format(advice=advice) if advice else "")
        if setup.state == "ready":
            text = _("{python}, torch {version}")
            return text.format(python=setup.python.description, version=setup.check.torchVersion)
        return setup.python.description
