"""Choosing what a structure is, by a standard term: a quick list to search in, and Slicer's terminology browser.

Slicer's own terminology dialog cannot give its result to Python; the browser inside it can.
"""

from __future__ import annotations

from collections.abc import Callable

import qt
import slicer
from metassl.project.terms import common_terms, proposals, term_name

from ...Translation import _

MORE = "more"
_WIDTH, _VISIBLE = 260, 12
_DIALOG_WIDTH, _DIALOG_HEIGHT = 900, 640


def openTermPicker(table, row: int, column: int, name: str, current: str, chosen: Callable[[str], None]):
    """Show the list in a cell, what fits `name` first. `chosen(entry)`: "" for none, MORE for Slicer's own browser."""
    combo = qt.QComboBox()
    combo.setEditable(True)
    combo.setInsertPolicy(qt.QComboBox.NoInsert)
    if current:
        combo.addItem(term_name(current), current)
    for term in proposals(name):
        if term.entry != current:
            combo.addItem(term.name, term.entry)
    combo.addItem(_("No standard term"), "")
    combo.addItem(_("More..."), MORE)
    completer = combo.completer()
    completer.setFilterMode(qt.Qt.MatchContains)
    completer.setCompletionMode(qt.QCompleter.PopupCompletion)
    completer.setMaxVisibleItems(_VISIBLE)
    combo.setMaxVisibleItems(_VISIBLE)
    for view in (combo.view(), completer.popup()):
        view.setMinimumWidth(_WIDTH)

    def take(index: int) -> None:
        entry = str(combo.itemData(index) or "")
        qt.QTimer.singleShot(0, lambda: chosen(entry))  # it goes away with what is chosen, but not in its own signal

    combo.connect("activated(int)", take)
    table.setCellWidget(row, column, combo)
    combo.setFocus()
    combo.clearEditText()
    combo.lineEdit().setPlaceholderText(_("search"))
    completer.setCompletionPrefix("")
    completer.complete()  # and not the list of the combo box itself, in which typing only jumps
    return combo


def chooseTerminology(current: str, parent, name: str = "") -> tuple[str, str] | None:
    """Ask for an entry, beginning with `current`, or among the common structures; returns it serialised and its name.
    name: of the structure, for the title.

    None: nothing was chosen.
    """
    dialog = qt.QDialog(parent)
    dialog.resize(_DIALOG_WIDTH, _DIALOG_HEIGHT)
    title = _("Choose what {name} is").format(name=name) if name else _("Choose what the structure is")
    dialog.setWindowTitle(title)
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
        logic.DeserializeTerminologyEntry(common_terms()[0].entry, first)
        first.GetTypeObject().Initialize()  # none of them is chosen yet
    navigator.setTerminologyEntry(first)
    chooseButton.setEnabled(chosenEntry() is not None)
    accepted, entry = dialog.exec_(), chosenEntry()
    chosen = None
    if accepted and entry is not None:
        chosen = logic.SerializeTerminologyEntry(entry), navigator.nameFromTerminology(entry)
    dialog.deleteLater()
    return chosen
