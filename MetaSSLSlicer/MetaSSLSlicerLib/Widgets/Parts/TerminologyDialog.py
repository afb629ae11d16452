"""Slicer's terminology browser in a dialog.

Slicer's own terminology dialog cannot give its result to Python; the browser inside it can.
"""

from __future__ import annotations

import qt
import slicer

from ...Logic.Scene.CommonTerms import commonTerms
from ...Translation import _

_WIDTH, _HEIGHT = 900, 640


def chooseTerminology(current: str, parent) -> tuple[str, str] | None:
    """Ask for an entry, beginning with `current`, or among the common structures; returns it serialised and its name.

    None: nothing was chosen.
    """
    dialog = qt.QDialog(parent)
    dialog.resize(_WIDTH, _HEIGHT)
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

    def chosenEntry():
        """What is selected now; Slicer takes "None" for a valid selection, too."""
        entry = slicer.vtkSlicerTerminologyEntry()
        return entry if navigator.terminologyEntry(entry) and entry.GetTypeObject().GetCodeValue() else None

    navigator.connect("selectionValidityChanged(bool)", lambda _v: chooseButton.setEnabled(chosenEntry() is not None))
    for signal in ("typeDoubleClicked()", "colorDoubleClicked()"):
        navigator.connect(signal, lambda: chosenEntry() is not None and dialog.accept())
    logic, first = slicer.vtkSlicerTerminologiesModuleLogic, slicer.vtkSlicerTerminologyEntry()
    if not current or not logic.DeserializeTerminologyEntry(current, first):
        logic.DeserializeTerminologyEntry(commonTerms()[0].entry, first)
        first.GetTypeObject().Initialize()  # none of them is chosen yet
    navigator.setTerminologyEntry(first)
    chooseButton.setEnabled(chosenEntry() is not None)
    accepted, entry = dialog.exec_(), chosenEntry()
    chosen = None
    if accepted and entry is not None:
        chosen = logic.SerializeTerminologyEntry(entry), navigator.nameFromTerminology(entry)
    dialog.deleteLater()
    return chosen
