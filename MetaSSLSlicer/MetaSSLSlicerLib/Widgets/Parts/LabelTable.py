"""The table of a project's structures: colour, name, value and terminology."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import ctk
import qt
from metassl.project import LabelDefinition
from metassl.project.structures import check_labels, default_color
from metassl.project.terms import exact_term, term_name

from ...Logic.Project.NewProject import MOST_LABELS
from ...Signal import Signal
from ...Translation import _
from ..Section import withoutSignals
from .TermPicker import MORE, chooseTerminology, openTermPicker

COLOR, NAME, VALUE, TERMINOLOGY = range(4)
_FEWEST_ROWS, _MOST_ROWS = 2, 8
_ROW_HEIGHT = 24


@dataclass
class _Row:
    value: int
    name: str
    color: str
    terminology: str = ""
    isProposed: bool = False
    """The terminology followed from the name that was typed, and follows it on."""


class LabelTable:
    """Looks after a QTableWidget. Double-click a name to change it, click a colour or a terminology to choose one.

    A name that says a common structure brings its terminology with it. `chooseColor(color)` and `chooseTerm(entry)`
    ask the user; they return None when nothing is chosen.
    """

    def __init__(
        self,
        table,
        chooseColor: Callable[[str], str | None] | None = None,
        chooseTerm: Callable[[str], tuple[str, str] | None] | None = None,
    ) -> None:
        self.edited = Signal()
        """() the user changed something."""
        self.table = table
        self._rows: list[_Row] = []
        self._fixed = 0
        self._chooseColor = chooseColor or self._askColor
        self._chooseTerm = chooseTerm or (lambda entry: chooseTerminology(entry, table))
        table.setColumnCount(4)
        table.setHorizontalHeaderLabels(["", _("Structure"), _("Value"), _("Terminology")])
        table.verticalHeader().setVisible(False)
        table.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT)
        header = table.horizontalHeader()
        header.setDefaultAlignment(qt.Qt.AlignLeft)
        header.setSectionResizeMode(NAME, qt.QHeaderView.Stretch)
        for column in (COLOR, VALUE, TERMINOLOGY):
            header.setSectionResizeMode(column, qt.QHeaderView.ResizeToContents)
        table.connect("cellChanged(int,int)", self._onCellChanged)
        table.connect("cellClicked(int,int)", self._onCellClicked)

    @property
    def labels(self) -> list[LabelDefinition]:
        """What the table says. Raises LabelError, for example when two structures have the same name."""
        return check_labels([LabelDefinition(row.value, row.name, row.color, row.terminology) for row in self._rows])

    def setLabels(self, labels: list[LabelDefinition], fixed: int = 0) -> None:
        """Show these; the first `fixed` are the project's already, and stay."""
        self._fixed = fixed
        self._rows = [_Row(label.value, label.name, label.color, label.terminology) for label in labels]
        self._fill()

    def add(self) -> None:
        """Add a structure, and let the user type its name."""
        if len(self._rows) >= MOST_LABELS:
            return
        value = self._freeValue()
        self._rows.append(_Row(value, _("Structure {number}").format(number=value), default_color(value)))
        self._fill()
        self._edit(len(self._rows) - 1)
        self.edited.emit()

    def removeCurrent(self) -> None:
        """Take the selected structure away, or the last one; never one that stays, nor the only one."""
        selected = self.table.currentRow()
        if not max(self._fixed, 0) <= selected < len(self._rows):
            selected = len(self._rows) - 1
        if selected < max(self._fixed, 1 if len(self._rows) == 1 else 0):
            return
        del self._rows[selected]
        self._fill()
        self.edited.emit()

    def _freeValue(self) -> int:
        taken = {row.value for row in self._rows}
        after = max(taken, default=0) + 1
        return after if after <= MOST_LABELS else min(set(range(1, MOST_LABELS + 1)) - taken)

    def _fill(self) -> None:
        for index in range(self.table.rowCount):
            self.table.removeCellWidget(index, TERMINOLOGY)
        with withoutSignals(self.table):
            self.table.setRowCount(len(self._rows))
            for index in range(len(self._rows)):
                self._show(index)
        shown = min(max(len(self._rows), _FEWEST_ROWS), _MOST_ROWS)
        self.table.setFixedHeight(_ROW_HEIGHT * (shown + 1) + 4)  # with the header

    def _show(self, index: int) -> None:
        row = self._rows[index]
        term = term_name(row.terminology)
        self._set(index, COLOR, qt.QColor(row.color), qt.Qt.DecorationRole)
        self._set(index, COLOR, _("Click to choose another colour"), qt.Qt.ToolTipRole)
        self._set(index, NAME, row.name, qt.Qt.DisplayRole)
        self._set(index, NAME, _("Double-click to rename"), qt.Qt.ToolTipRole)
        self._set(index, VALUE, str(row.value), qt.Qt.DisplayRole)
        self._set(index, VALUE, _("The number of this structure in every label"), qt.Qt.ToolTipRole)
        self._set(index, TERMINOLOGY, term or _("choose..."), qt.Qt.DisplayRole)
        self._set(index, TERMINOLOGY, term or _("Click to choose a standard term and its code"), qt.Qt.ToolTipRole)
        for column in (COLOR, VALUE, TERMINOLOGY):
            self.table.item(index, column).setFlags(qt.Qt.ItemIsEnabled)

    def _set(self, index: int, column: int, value: object, role: int) -> None:
        """Through the model, which makes its own items: those made in Python may be gone too early."""
        model = self.table.model()
        model.setData(model.index(index, column), value, role)

    def _edit(self, index: int) -> None:
        self.table.setCurrentCell(index, NAME)
        self.table.editItem(self.table.item(index, NAME))

    def _onCellChanged(self, index: int, column: int) -> None:
        if column != NAME:
            return
        row = self._rows[index]
        row.name = self.table.item(index, NAME).text().strip()
        if row.isProposed or not row.terminology:
            term = exact_term(row.name)
            row.terminology, row.isProposed = (term.entry, True) if term is not None else ("", False)
            self._showAgain(index)
        self.edited.emit()

    def _onCellClicked(self, index: int, column: int) -> None:
        row = self._rows[index]
        if column == TERMINOLOGY:
            openTermPicker(self.table, index, column, row.name, row.terminology, lambda entry: self._onTerm(row, entry))
        elif column == COLOR:
            color = self._chooseColor(row.color)
            if color is not None and color.upper() != row.color:
                row.color = color.upper()
                self._showAgain(index)
                self.edited.emit()

    def _onTerm(self, row: _Row, entry: str) -> None:
        index = next((place for place, each in enumerate(self._rows) if each is row), -1)
        if index < 0:
            return  # its row has gone meanwhile
        self.table.removeCellWidget(index, TERMINOLOGY)
        name = term_name(entry)
        if entry == MORE:
            chosen = self._chooseTerm(row.terminology)
            if chosen is None:
                return
            entry, name = chosen
        row.terminology, row.isProposed = entry, False
        if name and row.name == _("Structure {number}").format(number=row.value):
            row.name = name
        self._showAgain(index)
        self.edited.emit()

    def _showAgain(self, index: int) -> None:
        with withoutSignals(self.table):
            self._show(index)

    def _askColor(self, color: str) -> str | None:
        """CTK's colour dialog comes with its button, which nobody needs to see."""
        button = ctk.ctkColorPickerButton(self.table)
        button.setVisible(False)
        button.setColor(qt.QColor(color))
        button.changeColor()
        chosen = button.color.name()
        button.deleteLater()
        return chosen
