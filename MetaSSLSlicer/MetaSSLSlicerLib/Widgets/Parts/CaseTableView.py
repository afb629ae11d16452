"""The table of cases: its rows in Qt's own model, filled a few milliseconds at a time, and its looks."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable

import qt
from metassl.project.cases import ASIDE

from ...Signal import Signal
from ...Translation import _
from ..Section import Section, dressTable, makeTableModel, scrollAreaOf
from . import CaseCells as Columns
from .CaseCells import CaseCells, Cells
from .UncertaintyBar import WIDTH, UncertaintyBar

_SLICE_S = 0.008
_FEW = 20  # so many changed rows are moved one by one; more, and everything is put in order again
_AROUND_PX = 10
_LEAST_LETTERS = 9  # wide ones
_LEAST_NEEDED = (Columns.DICE, Columns.TIME)


class CaseTableModel(Section):
    """`model` is for the view; it holds the rows that are searched for, in their order.

    Sorting and searching happen here and not in a QSortFilterProxyModel, which takes more than 100 ms for 10,000 rows.
    What is in sight is written first: `topRow()` tells which row that is.
    """

    def __init__(self, headings: list[str], hints: list[str], topRow: Callable[[], int] = lambda: 0) -> None:
        super().__init__()
        self.filled = Signal()
        """() all that is known is in the table."""
        self.aboutToReorder, self.reordered = Signal(), Signal()
        """() before and after other cases stand in the rows."""
        self.cells: dict[str, Cells] = {}
        self.order: list[str] = []
        self._topRow, self._bars = topRow, UncertaintyBar()
        self._column, self._descending = Columns.NAME, False
        self._group, self._search, self._emphasised = "", "", ""
        self._unwritten: list[str] = []
        self._places: dict[str, int] = {}
        self.model = makeTableModel(headings, dict(enumerate(hints)))
        self._timer = self.makeTimer(0, self._fill)

    @property
    def isFilled(self) -> bool:
        """True when nothing is still to be written."""
        return not self._unwritten

    def differing(self, cells: Iterable[Cells]) -> list[Cells]:
        """Those that are not shown as they are. Thousands are slow to compare: this may be called in a task."""
        return [each for each in cells if self.cells.get(each.row.id) != each]

    def setCells(self, caseIds: list[str], changed: Iterable[Cells]) -> None:
        """Show these cases, in the order of their names, and no others; `changed`: what differs of them."""
        if self.cells.keys() == set(caseIds):
            self.updateCells(changed)
            return
        found = {**self.cells, **{each.row.id: each for each in changed}}
        self.cells = {caseId: found[caseId] for caseId in caseIds}
        self._arrange()

    def updateCells(self, changed: Iterable[Cells]) -> None:
        """Show what differs of these cases; the others stay as they are."""
        changed = {each.row.id: each for each in changed}
        new = changed.keys() - self.cells.keys()
        self.cells.update(changed)
        if new:
            self.cells = dict(sorted(self.cells.items(), key=lambda item: item[1].keys[Columns.NAME]))
        if len(changed) > _FEW:
            self._arrange()
        elif changed:
            self._moveRows(changed)

    def sort(self, column: int, descending: bool) -> None:
        """Sort by a column; rows without an entry in it stand last either way."""
        self._column, self._descending = column, descending
        self._arrange()

    def setFilter(self, group: str, search: str) -> None:
        """Show only this group of cases ("": all but those set aside), with this text in the name or the state."""
        self._group, self._search = group, search.strip().casefold()
        self._arrange()

    def emphasise(self, caseId: str) -> None:
        """Write the name of this case, the open one, in bold."""
        former, self._emphasised = self._emphasised, caseId
        for each in {former, caseId} & self._places.keys():
            self._writeRow(each)

    def placeOf(self, caseId: str) -> int:
        """The row in which a case stands; -1 when it is not shown."""
        return self._places.get(caseId, -1)

    def caseIdAt(self, place: int) -> str:
        """The case in a row; "" for none."""
        return self.order[place] if 0 <= place < len(self.order) else ""

    def countOf(self) -> Counter[str]:
        return Counter(group for each in self.cells.values() for group in each.groups)

    def _isShown(self, each: Cells) -> bool:
        inGroup = self._group in each.groups if self._group else ASIDE not in each.groups
        return inGroup and self._search in each.search

    def _arranged(self) -> list[str]:
        column = self._column
        shown = [each for each in self.cells.values() if self._isShown(each)]
        known = [each for each in shown if each.keys[column] is not None]
        known.sort(key=lambda each: each.keys[column], reverse=self._descending)
        return [each.row.id for each in known] + [each.row.id for each in shown if each.keys[column] is None]

    def _setOrder(self, order: list[str]) -> None:
        self.order = order
        self._places = {caseId: place for place, caseId in enumerate(order)}

    def _arrange(self) -> None:
        """Put everything in order again, and write it from the first row in sight on."""
        self.aboutToReorder.emit()
        self._setOrder(self._arranged())
        self.model.setRowCount(len(self.order))
        top = min(max(self._topRow(), 0), len(self.order))
        self._unwritten = [*self.order[:top], *reversed(self.order[top:])]  # taken from its end
        self.reordered.emit()
        self._timer.start()

    def _moveRows(self, changed: Collection[str]) -> None:
        """Write a few changed rows, each in the place where it belongs now; the others are not touched."""
        self.aboutToReorder.emit()
        former = self.order
        self._setOrder(self._arranged())
        moved = former != self.order
        if moved:
            for place in reversed(range(len(former))):
                if former[place] in changed:
                    self.model.removeRow(place)
        for caseId in self.order:
            if caseId in changed:
                if moved:
                    self.model.insertRow(self._places[caseId])
                self._writeRow(caseId)
        self.reordered.emit()
        self._timer.start()

    def _fill(self) -> None:
        end = time.perf_counter() + _SLICE_S
        while self._unwritten:
            self._writeRow(self._unwritten.pop())
            if time.perf_counter() > end:
                return
        self._timer.stop()
        self.filled.emit()

    def _writeRow(self, caseId: str) -> None:
        each, place, model = self.cells[caseId], self.placeOf(caseId), self.model
        if place < 0:
            return
        for column, text in enumerate(each.texts):
            model.setData(model.index(place, column), text, qt.Qt.DisplayRole)
        name = model.index(place, Columns.NAME)
        model.setData(name, each.hint, qt.Qt.ToolTipRole)
        font = qt.QFont()
        font.setBold(caseId == self._emphasised)
        model.setData(name, font, qt.Qt.FontRole)
        bar = model.index(place, Columns.UNCERTAINTY)
        model.setData(bar, self._bars.icon(each.row.uncertainty), qt.Qt.DecorationRole)
        model.setData(bar, each.hint, qt.Qt.ToolTipRole)


class CaseTableView(Section):
    """Sets up a QTableView. `opened` is emitted with the id of a case that was double-clicked."""

    def __init__(self, table, cells: CaseCells) -> None:
        super().__init__()
        self.opened = Signal()
        self.table = table
        self.model = self.addPart(CaseTableModel(cells.headings, cells.headingHints, lambda: table.rowAt(0)))
        self._sorted = (Columns.ORDER, False)
        self._selected = ""
        widest = {
            Columns.STATE: _("in progress"),
            Columns.UNCERTAINTY: _("Uncertainty"),
            Columns.ORDER: _("Order") + "   ",
            Columns.DICE: _("Dice") + "   ",
            Columns.TIME: _("≈ 12 min"),
        }
        dressTable(table, self.model.model, widest, Columns.NAME)
        table.connect("doubleClicked(QModelIndex)", self._onDoubleClicked)
        header = table.horizontalHeader()
        header.resizeSection(Columns.UNCERTAINTY, max(header.sectionSize(Columns.UNCERTAINTY), WIDTH + 10))
        header.setSectionsClickable(True)
        header.setSortIndicatorShown(True)
        header.connect("sectionClicked(int)", self._onHeadingClicked)
        self.listen(
            (self.model.aboutToReorder, self._remember),
            (self.model.reordered, self._restore),
            (self.model.filled, self.showColumns),
        )
        self.sortBy(*self._sorted)
        self.showColumns()

    @property
    def selected(self) -> str:
        """The case of the selected row; "" for none."""
        return self.model.caseIdAt(self.table.currentIndex().row())

    def select(self, caseId: str) -> None:
        """Select the row of a case, if it is shown."""
        place = self.model.placeOf(caseId)
        if place >= 0:
            self.table.setCurrentIndex(self.model.model.index(place, Columns.NAME))

    def sortBy(self, column: int, descending: bool) -> None:
        self._sorted = column, descending
        order = qt.Qt.DescendingOrder if descending else qt.Qt.AscendingOrder
        self.table.horizontalHeader().setSortIndicator(column, order)
        self.model.sort(column, descending)

    def showColumns(self) -> None:
        """A column that is empty in every row is not shown."""
        cells = self.model.cells.values()
        for column in (Columns.UNCERTAINTY, Columns.ORDER, Columns.DICE, Columns.TIME):
            self.table.setColumnHidden(column, not any(each.keys[column] is not None for each in cells))
        header, metrics = self.table.horizontalHeader(), qt.QFontMetrics(self.table.font)
        words = {each.texts[Columns.STATE] for each in cells}
        states = max((metrics.horizontalAdvance(each) for each in words), default=0)
        header.resizeSection(Columns.STATE, max(header.sectionSize(Columns.STATE), states + _AROUND_PX))
        self._keepNamesReadable()

    def _keepNamesReadable(self) -> None:
        """The names take what the other columns leave: never less than a dozen letters. A panel that has no room for
        all columns does not grow wider under somebody's hand: it does without the least needed, for which it never
        asks, as how much room there is is not known while the table is not seen."""
        room, isLess = self._room(), False
        for column in _LEAST_NEEDED:
            if self._widthNeeded() > room and not self.table.isColumnHidden(column):
                self.table.setColumnHidden(column, True)
                isLess = True
        self.table.toolTip = _("There is more in a wider panel: the Dice and the time of each case.") if isLess else ""
        self.table.setMinimumWidth(self._widthNeeded((Columns.NAME, *_LEAST_NEEDED)))

    def _widthNeeded(self, without: Collection[int] = (Columns.NAME,)) -> int:
        header = self.table.horizontalHeader()
        others = [each for each in Columns.COLUMNS if each not in without]
        shown = sum(header.sectionSize(each) for each in others if not self.table.isColumnHidden(each))
        names = qt.QFontMetrics(self.table.font).horizontalAdvance("m" * _LEAST_LETTERS)
        return shown + names + 2 * self.table.frameWidth + self.table.verticalScrollBar().width

    def _room(self) -> float:
        """How wide the table can be in the panel as it is; no limit where it is in none, or not seen."""
        area = scrollAreaOf(self.table)
        if area is None or not self.table.isVisible():
            return math.inf
        return area.viewport().width - (area.widget().width - self.table.width)

    def _onHeadingClicked(self, column: int) -> None:
        """Sort by it, figures from the largest; a second click turns the order round."""
        former, descending = self._sorted
        figures = column not in (Columns.NAME, Columns.STATE, Columns.ORDER)
        self.sortBy(column, not descending if column == former else figures)

    def _onDoubleClicked(self, index) -> None:
        self.opened.emit(self.model.caseIdAt(index.row()))

    def _remember(self) -> None:
        self._selected = self.selected

    def _restore(self) -> None:
        """The selection stays with its case."""
        if self.model.placeOf(self._selected) < 0:
            self.table.clearSelection()
        elif self.selected != self._selected or not self.table.selectionModel().hasSelection:
            self.select(self._selected)
