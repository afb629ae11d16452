"""The smaller widgets of CTK: buttons, a search box, a combo box, a message box."""

from __future__ import annotations

from PySide6 import QtGui, QtWidgets

from .Base import standIn


class ctkSearchBox(standIn("ctk.ctkSearchBox")):
    """A line edit with a magnifier."""

    _isStandIn = True

    def __init__(self, parent=None):
        super().__init__(parent)
        self.setClearButtonEnabled(True)
        self.setPlaceholderText("Search...")


class ctkColorPickerButton(standIn("ctk.ctkColorPickerButton", QtWidgets.QPushButton)):
    """A button that shows a colour."""

    _isStandIn = True
    _defaults = {"displayColorName": True}

    def __init__(self, *arguments):
        super().__init__(arguments[-1] if arguments and isinstance(arguments[-1], QtWidgets.QWidget) else None)
        self._color = QtGui.QColor("black")
        self._show()

    def _get_color(self):
        return self._color

    def _set_color(self, color):
        color = QtGui.QColor(color)
        if color != self._color:
            self._color = color
            self._show()
            self._emit("colorChanged(QColor)", color)

    def setColor(self, color):
        self._set_color(color)

    def _changed(self, name):
        self._show()

    def _show(self):
        swatch = QtGui.QPixmap(16, 16)
        swatch.fill(self._color)
        self.setIcon(QtGui.QIcon(swatch))
        self.setText((self.colorName or self._color.name()) if self.displayColorName else "")


class ctkComboBox(standIn("ctk.ctkComboBox", QtWidgets.QComboBox)):
    """A combo box."""

    _isStandIn = True

    def _get_currentUserDataAsString(self):
        return str(self.currentData or "")

    def _set_currentUserDataAsString(self, text):
        self.setCurrentIndex(self.findData(text))


class ctkCheckBox(standIn("ctk.ctkCheckBox", QtWidgets.QCheckBox)):
    """A check box."""

    _isStandIn = True


class ctkPushButton(standIn("ctk.ctkPushButton", QtWidgets.QPushButton)):
    """A push button."""

    _isStandIn = True


class ctkMenuButton(standIn("ctk.ctkMenuButton", QtWidgets.QPushButton)):
    """A push button with a menu beside it."""

    _isStandIn = True


class ctkExpandButton(standIn("ctk.ctkExpandButton", QtWidgets.QToolButton)):
    """The double arrow."""

    _isStandIn = True


class ctkFittedTextBrowser(standIn("ctk.ctkFittedTextBrowser", QtWidgets.QTextBrowser)):
    """A text browser as tall as its text."""

    _isStandIn = True


class ctkMessageBox(standIn("ctk.ctkMessageBox", QtWidgets.QMessageBox)):
    """A message box that may be told not to come again."""

    _isStandIn = True
