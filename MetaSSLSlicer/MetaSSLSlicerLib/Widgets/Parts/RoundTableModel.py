"""The rows of the list of rounds in Qt's own model. They are few: it is written anew each time."""

from __future__ import annotations

import qt

from ...Logic.Project.RoundTable import RoundRow, dateText, describe, stateText, timeText
from ...Translation import _
from ..Section import dressTable, makeTableModel

NUMBER, DATE, LABELS, DICE, DEVICE, TIME, STATE = range(7)


class RoundTableModel:
    """`model` is for the view."""

    def __init__(self) -> None:
        self.rows: tuple[RoundRow, ...] = ()
        self._table = None
        headings = [_("Round"), _("Begun"), _("Labels"), _("Dice"), _("Device"), _("Time"), _("State")]
        hints = {
            NUMBER: _("In bold: the round whose predictions are shown"),
            LABELS: _("How many labels it learnt from"),
            DICE: _("Mean Dice at its end on the validation cases that were watched, up to four"),
            TIME: _("How long it trained and predicted; pauses are left out"),
        }
        self.model = makeTableModel(headings, hints)

    def showIn(self, table) -> None:
        """Set up a QTableView for the rounds; the device takes the room that is left."""
        widest = {
            NUMBER: _("Round"),
            DATE: "00 Mmm",
            LABELS: _("Labels"),
            DICE: _("Dice"),
            TIME: timeText(59 * 60 + 59),
            STATE: _("not begun"),
        }
        dressTable(table, self.model, widest, DEVICE)
        self._table = table

    def setRows(self, rows: tuple[RoundRow, ...]) -> None:
        self.rows = rows
        self.model.setRowCount(len(rows))
        if self._table is not None:  # the device and the state need the room
            self._table.setColumnHidden(DICE, all(row.summary.dice is None for row in rows))
        for place, row in enumerate(rows):
            font, hint = qt.QFont(), describe(row)
            font.setBold(row.isShown)
            self.model.setData(self.model.index(place, NUMBER), font, qt.Qt.FontRole)
            for column, text in enumerate(_texts(row)):
                index = self.model.index(place, column)
                self.model.setData(index, text, qt.Qt.DisplayRole)
                self.model.setData(index, hint, qt.Qt.ToolTipRole)

    def rowAt(self, place: int) -> RoundRow | None:
        """The round in a row of the view."""
        return self.rows[place] if 0 <= place < len(self.rows) else None

    def placeOf(self, number: int) -> int:
        """The row of a round; -1 when it is not there."""
        return next((place for place, row in enumerate(self.rows) if row.number == number), -1)


def _texts(row: RoundRow) -> tuple[str, ...]:
    found = row.summary
    return (
        str(found.number),
        dateText(found.created, "%d %b"),
        str(found.labels),
        "" if found.dice is None else f"{found.dice:.2f}",
        found.device.removeprefix("NVIDIA ").partition(" (")[0],
        timeText(found.seconds),
        stateText(found.state),
    )
