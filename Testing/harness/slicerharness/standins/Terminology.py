"""The widgets that choose what a segment is called in a terminology."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets

from .Base import standIn


class qSlicerTerminologySelectorButton(standIn("slicer.qSlicerTerminologySelectorButton", QtWidgets.QPushButton)):
    """A button that opens the terminology dialog."""

    _isStandIn = True


class qSlicerTerminologySelectorDialog(standIn("slicer.qSlicerTerminologySelectorDialog", QtCore.QObject)):
    """The terminology dialog. A test puts what the user picks into `_answer`; None: the user cancels."""

    _isStandIn = True
    _answer = None

    def __init__(self, *arguments):
        super().__init__()

    def execDialog(self):
        return self._answer is not None
