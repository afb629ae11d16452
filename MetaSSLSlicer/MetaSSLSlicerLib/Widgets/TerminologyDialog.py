"""Slicer's terminology browser in a dialog.

Slicer's own terminology dialog cannot give its result to Python; the browser inside it can.
"""

from __future__ import annotations

import qt
import slicer

from ..Translation import _


def terminologyIsAvailable() -> bool:
    """True where Slicer has its terminology browser."""
    return hasattr(slicer, "qSlicerTerminologyNavigatorWidget")


def chooseTerminology(current: str, parent) -> tuple[str, str] | None:
    """Ask for an entry, beginning with `current`; returns it serialised, and its name, or None."""
    dialog = qt.QDialog(parent)
    dialog.setWindowTitle(_("Choose what the structure is"))
    layout = qt.QVBoxLayout(dialog)
    navigator = slicer.qSlicerTerminologyNavigatorWidget()
    navigator.setOverrideSectionVisible(False)
    layout.addWidget(navigator)
    row = qt.QHBoxLayout()
    row.addStretch(1)
    cancelButton, chooseButton = qt.QPushButton(_("Cancel")), qt.QPushButton(_("Choose"))
    chooseButton.setDefault(True)
    row.addWidget(cancelButton)
    row.addWidget(chooseButton)
    layout.addLayout(row)
    cancelButton.connect("clicked(bool)", lambda _checked: dialog.reject())
    chooseButton.connect("clicked(bool)", lambda _checked: dialog.accept())
    navigator.connect("selectionValidityChanged(bool)", lambda valid: chooseButton.setEnabled(valid))

    logic, entry = slicer.vtkSlicerTerminologiesModuleLogic, slicer.vtkSlicerTerminologyEntry()
    if current and logic.DeserializeTerminologyEntry(current, entry):
        navigator.setTerminologyEntry(entry)
    chooseButton.setEnabled(bool(navigator.terminologyEntry(entry)))
    accepted = dialog.exec_()
    chosen = None
    if accepted and navigator.terminologyEntry(entry):
        chosen = logic.SerializeTerminologyEntry(entry), navigator.nameFromTerminology(entry)
    dialog.deleteLater()
    return chosen
