"""The first thing in the panel while this computer cannot train yet: what is missing, and what to do about it."""

from __future__ import annotations

import qt
import slicer

from ...Logic.Engine.EngineSetup import EngineSetup
from ...Signal import Signal
from ...Translation import _
from ..Section import onClick

_STYLE = "QFrame#setupNotice { border: 1px solid palette(highlight); border-left: 5px solid palette(highlight); }"
_LOG_HEIGHT = 120


class SetupNotice:
    """Nothing is shown when everything is there, or nobody has looked yet. Call `refresh` when `setup` has changed."""

    def __init__(self, setup: EngineSetup) -> None:
        self.installWanted, self.otherWanted, self.checkWanted = Signal(), Signal(), Signal()
        """() the user wants to install what is missing; to choose another Python; to have another look."""
        self._setup, self._showsLog, self._isWelcome = setup, False, True
        self.widget = qt.QFrame()
        self.widget.setObjectName("setupNotice")
        self.widget.setStyleSheet(_STYLE)
        layout = qt.QVBoxLayout(self.widget)
        self.label, self.lineLabel = qt.QLabel(), qt.QLabel()
        self.label.setWordWrap(True)
        for label in (self.label, self.lineLabel):  # long texts do not widen the panel
            label.setSizePolicy(qt.QSizePolicy.Ignored, qt.QSizePolicy.Preferred)
            label.setTextInteractionFlags(qt.Qt.TextSelectableByMouse)
        self.bar, self.logEdit = qt.QProgressBar(), qt.QPlainTextEdit()
        self.logEdit.setReadOnly(True)
        self.logEdit.setMaximumHeight(_LOG_HEIGHT)
        for widget in (self.label, self.bar, self.lineLabel):
            layout.addWidget(widget)
        row = qt.QHBoxLayout()
        self.installButton, self.otherButton = qt.QPushButton(_("Install")), qt.QPushButton(_("Use another Python..."))
        self.checkButton, self.cancelButton = qt.QPushButton(_("Check again")), qt.QPushButton(_("Cancel"))
        self.detailsButton = qt.QPushButton(_("Details"))
        buttons = (
            (self.installButton, self._onInstall),
            (self.otherButton, self.otherWanted.emit),
            (self.checkButton, self.checkWanted.emit),
            (self.cancelButton, self._onCancel),
            (self.detailsButton, self._onDetails),
        )
        onClick(*buttons)
        for button, _action in buttons:
            row.addWidget(button)
        row.addStretch(1)
        layout.addLayout(row)
        layout.addWidget(self.logEdit)
        self.refresh()

    def setWelcome(self, welcome: bool) -> None:
        """While it is not, nothing is shown: a case is open, and the panel is about that case."""
        if welcome != self._isWelcome:
            self._isWelcome = welcome
            self.refresh()

    def refresh(self) -> None:
        setup = self._setup
        state, installation = setup.state, setup.installation
        lacks, runs = state == "missing", state == "installing"
        self.widget.setVisible(self._isWelcome and (lacks or runs or state == "failed"))
        text = self._missingText() if lacks else setup.check.explanation if state == "failed" else ""
        self.label.text = installation.headline if runs else text
        self._refreshProgress(installation if runs else None)
        obstacle = bool(setup.dependencies.obstacle(setup.missing)) if lacks else False
        self.installButton.text = self._installText()
        self.installButton.setVisible(lacks and (not obstacle or self._canGetExtension()))
        self.otherButton.setVisible(not runs)
        self.checkButton.setVisible(state == "failed")
        self.cancelButton.setVisible(runs)
        self.cancelButton.setEnabled(runs and installation.state == "running")
        log = installation.log if installation is not None and state in ("missing", "installing") else ""
        self.detailsButton.setVisible(bool(log))
        self.logEdit.setVisible(bool(log) and self._showsLog)
        if log and self._showsLog:
            self._showLog(log)

    def _refreshProgress(self, installation) -> None:
        self.bar.setVisible(installation is not None)
        self.lineLabel.setVisible(installation is not None)
        if installation is None:
            return
        self.lineLabel.text = self.lineLabel.toolTip = installation.line
        done, total = installation.progress or (0, 0)
        self.bar.setRange(0, 100 if total else 0)
        if total:
            self.bar.setValue(100 * done // total)

    def _missingText(self) -> str:
        setup, installation = self._setup, self._setup.installation
        packages = setup.dependencies.describe(setup.missing)
        if installation is not None and installation.state == "failed":
            return _("{problem} Still missing: {packages}.").format(problem=installation.problem, packages=packages)
        if installation is not None and installation.state == "done":
            text = _("It was installed, and still this is missing: {packages}. Restart Slicer.")
            return text.format(packages=packages)
        text = _("Training needs {packages}, which Slicer downloads once. All else works without.")
        if installation is not None and installation.state == "cancelled":
            text = _("The installation was cancelled. Training still needs {packages}.")
        text = text.format(packages=packages)
        obstacle = setup.dependencies.obstacle(setup.missing)
        return f"{text} {obstacle}" if obstacle else text

    def _installText(self) -> str:
        setup = self._setup
        if setup.state == "missing" and setup.dependencies.lacksExtension(setup.missing):
            return _("Open the Extensions Manager")
        failed = setup.installation is not None and setup.installation.state == "failed"
        return _("Try again") if failed else _("Install")

    def _canGetExtension(self) -> bool:
        """A Slicer can be built without the Extensions Manager."""
        lacks = self._setup.dependencies.lacksExtension(self._setup.missing)
        return lacks and hasattr(slicer.app, "openExtensionsManagerDialog")

    def _onInstall(self) -> None:
        if self._setup.dependencies.lacksExtension(self._setup.missing):
            slicer.app.openExtensionsManagerDialog()
        else:
            self.installWanted.emit()

    def _onCancel(self) -> None:
        self._setup.installation.cancel()
        self.refresh()

    def _onDetails(self) -> None:
        self._showsLog = not self._showsLog
        self.refresh()

    def _showLog(self, log: str) -> None:
        if self.logEdit.toPlainText() == log:
            return
        self.logEdit.setPlainText(log)
        bar = self.logEdit.verticalScrollBar()
        bar.value = bar.maximum
