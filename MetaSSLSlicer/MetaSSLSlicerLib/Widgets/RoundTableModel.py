"""The rows of the list of rounds in Qt's own model. They are few: it is written anew each time."""

from __future__ import annotations

import qt

from ..Logic.RoundTable import RoundRow, dateText, describe, durationText, stateText
from ..Translation import _

NUMBER, DATE, LABELS, DICE, DEVICE, TIME, STATE = range(7)


class RoundTableModel:
    """`model` is for the view. No QStandardItem is made here: it is unclear whether Python or Qt would own it."""

    def __init__(self) -> None:
        self.rows: tuple[RoundRow, ...] = ()
        self.model = qt.QStandardItemModel()
        headings = (_("Round"), _("Begun"), _("Labels"), _("Dice"), _("Device"), _("Time"), _("State"))
        self.model.setColumnCount(len(headings))
        self.model.setHorizontalHeaderLabels(list(headings))
        hints = {
            LABELS: _("How many labels it learnt from"),
            DICE: _("Mean Dice on the validation cases at its end"),
            TIME: _("How long it trained and predicted, pauses left out"),
        }
        for column, text in hints.items():
            self.model.setHeaderData(column, qt.Qt.Horizontal, text, qt.Qt.ToolTipRole)

    def setRows(self, rows: tuple[RoundRow, ...]) -> None:
        """Show these rounds."""
        self.rows = rows
        self.model.setRowCount(len(rows))
        for place, row in enumerate(rows):
            font = qt.QFont()
            font.setBold(row.isShown)
            hint = describe(row)
            for column, text in enumerate(_texts(row)):
                index = self.model.index(place, column)
                self.model.setData(index, text, qt.Qt.DisplayRole)
                self.model.setData(index, hint, qt.Qt.ToolTipRole)
                self.model.setData(index, font, qt.Qt.FontRole)

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
        dateText(found.created),
        str(found.labels),
        "" if found.dice is None else f"{found.dice:.2f}",
        found.device.partition(" (")[0],
        durationText(found.seconds),
        stateText(found.state),
    )
