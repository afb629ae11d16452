"""The quick list of common structures in a cell of a table: type to search, no dialog is needed."""

from __future__ import annotations

from collections.abc import Callable

import qt

from ...Logic.Scene.CommonTerms import proposals, terminologyName
from ...Translation import _

MORE = "more"
_WIDTH, _VISIBLE = 260, 12


def openTermPicker(table, row: int, column: int, name: str, current: str, chosen: Callable[[str], None]):
    """Show the list in a cell, what fits `name` first. `chosen(entry)`: "" for none, MORE for Slicer's own browser."""
    combo = qt.QComboBox()
    combo.setEditable(True)
    combo.setInsertPolicy(qt.QComboBox.NoInsert)
    if current:
        combo.addItem(terminologyName(current), current)
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
