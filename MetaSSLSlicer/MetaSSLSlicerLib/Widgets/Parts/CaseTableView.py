"""How the table of cases looks and sorts; its rows are the business of CaseTableModel."""

from __future__ import annotations

import qt

from ...Signal import Signal
from ...Translation import _
from ..Section import Section
from . import CaseCells as Columns
from . import UncertaintyBar as UncertaintyBar
from .CaseCells import CaseCells
from .CaseTableModel import CaseTableModel

_LEAST_LETTERS = 9  # wide ones


class CaseTableView(Section):
    """Sets up a QTableView. `opened` is emitted with the id of a case that was double-clicked."""

    def __init__(self, table, cells: CaseCells) -> None:
        super().__init__()
        self.opened = Signal()
        self.table = table
        self.model = self.addPart(CaseTableModel(cells.headings, cells.headingHints, lambda: table.rowAt(0)))
        self._sorted = (Columns.ORDER, False)
        self._selected = ""
        table.setModel(self.model.model)
        table.connect("doubleClicked(QModelIndex)", self._onDoubleClicked)
        metrics = qt.QFontMetrics(table.font)
        rows, header = table.verticalHeader(), table.horizontalHeader()
        rows.setVisible(False)
        rows.setDefaultSectionSize(metrics.height() + 8)
        header.setHighlightSections(False)
        header.setMinimumSectionSize(20)
        header.setSectionResizeMode(Columns.NAME, qt.QHeaderView.Stretch)
        widest = {
            Columns.STATE: _("in progress"),
            Columns.UNCERTAINTY: _("Uncertainty"),
            Columns.ORDER: _("Order") + "   ",
            Columns.DICE: _("Dice") + "   ",
            Columns.TIME: _("Minutes"),
        }
        for column, text in widest.items():
            header.resizeSection(column, metrics.horizontalAdvance(text) + 10)
        header.resizeSection(
            Columns.UNCERTAINTY, max(header.sectionSize(Columns.UNCERTAINTY), UncertaintyBar.WIDTH + 10)
        )
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
        """Sort the rows."""
        self._sorted = column, descending
        order = qt.Qt.DescendingOrder if descending else qt.Qt.AscendingOrder
        self.table.horizontalHeader().setSortIndicator(column, order)
        self.model.sort(column, descending)

    def showColumns(self) -> None:
        """A column that is empty in every row is not shown."""
        cells = self.model.cells.values()
        for column in (Columns.UNCERTAINTY, Columns.ORDER, Columns.DICE, Columns.TIME):
            self.table.setColumnHidden(column, not any(each.keys[column] is not None for each in cells))
        self._keepNamesReadable()

    def _keepNamesReadable(self) -> None:
        """The names take what the other columns leave: never less than a dozen letters."""
        header = self.table.horizontalHeader()
        others = [each for each in Columns.COLUMNS if each != Columns.NAME]
        shown = sum(header.sectionSize(each) for each in others if not self.table.isColumnHidden(each))
        names = qt.QFontMetrics(self.table.font).horizontalAdvance("m" * _LEAST_LETTERS)
        self.table.setMinimumWidth(shown + names + 2 * self.table.frameWidth + self.table.verticalScrollBar().width)

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
