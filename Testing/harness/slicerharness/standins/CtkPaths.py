"""ctkPathLineEdit and ctkDirectoryButton: where files are."""

from __future__ import annotations

from pathlib import Path

from PySide6 import QtCore, QtWidgets

from .Base import rowLayout, smallButton, standIn


class ctkPathLineEdit(standIn("ctk.ctkPathLineEdit")):
    """An editable combo box for a path, and a button to browse."""

    _isStandIn = True
    _defaults = {"showBrowseButton": True, "showHistoryButton": True}

    def __init__(self, *arguments):
        super().__init__(arguments[-1] if arguments and isinstance(arguments[-1], QtWidgets.QWidget) else None)
        self._combo = QtWidgets.QComboBox(self)
        self._combo.setEditable(True)
        self._combo.setMinimumContentsLength(8)
        self._combo.setSizeAdjustPolicy(QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._browse = smallButton(self, "...")
        rowLayout(self, self._combo, self._browse)
        self._combo.editTextChanged.connect(self._onText)

    def comboBox(self):
        return self._combo

    def _onText(self, text):
        self._emit("currentPathChanged(QString)", text)
        self._emit("validInputChanged(bool)", bool(text) and Path(text).exists())

    def _get_currentPath(self):
        return self._combo.currentText

    def _set_currentPath(self, path):
        self._combo.setEditText(path)

    def _changed(self, name):
        if name == "showBrowseButton":
            self._browse.setVisible(self.showBrowseButton)

    def addCurrentPathToHistory(self):
        if self.settingKey:
            settings = QtCore.QSettings()
            known = settings.value(self.settingKey) or []
            known = [known] if isinstance(known, str) else list(known)
            settings.setValue(self.settingKey, [self.currentPath, *(p for p in known if p != self.currentPath)][:10])

    def retrieveHistory(self):
        path = self.currentPath
        known = QtCore.QSettings().value(self.settingKey) if self.settingKey else None
        self._combo.clear()
        self._combo.addItems([known] if isinstance(known, str) else list(known or []))
        self._combo.setEditText(path)


class ctkDirectoryButton(standIn("ctk.ctkDirectoryButton")):
    """A button with the folder's path on it."""

    _isStandIn = True

    def __init__(self, *arguments):
        super().__init__(arguments[-1] if arguments and isinstance(arguments[-1], QtWidgets.QWidget) else None)
        self._folder = str(Path.cwd())
        self._button = QtWidgets.QPushButton(self)
        self._button.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Fixed)
        rowLayout(self, self._button)
        self._button.setText(self._folder)

    def _get_directory(self):
        return self._folder

    def _set_directory(self, folder):
        if folder != self._folder:
            self._folder = folder
            self._button.setText(self.text or folder)
            self._emit("directoryChanged(QString)", folder)

    def _changed(self, name):
        if name == "text":
            self._button.setText(self.text or self._folder)
