"""What every section of the panel is and does: its layout, what it listens to, its buttons, asking for a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path

import qt
import slicer.util
from metassl.project.words import sentence

from ..Signal import Signal
from ..Translation import _

_FEWEST_LINES, _MOST_LINES, _MARGINS_PX = 3, 9, 40
UI_FOLDER = Path(__file__).resolve().parents[2] / "Resources" / "UI"


class Section:
    """A section of the panel, or a part of one: what it listens to, its timers and its parts end with it."""

    def __init__(self, session=None) -> None:
        self._session = session
        self._connections: list[tuple[Signal, Callable]] = []
        self._timers: list = []
        self._parts: list[Section] = []

    def listen(self, *connections: tuple[Signal, Callable]) -> None:
        """Connect signals of ours, (signal, slot) each, until `cleanup`."""
        for signal, slot in connections:
            signal.connect(slot)
        self._connections += connections

    def makeTimer(self, interval_ms: int, slot: Callable[[], object], once: bool = False):
        """A timer, not started yet, that stops in `cleanup`."""
        timer = qt.QTimer()
        timer.setInterval(interval_ms)
        timer.setSingleShot(once)
        timer.connect("timeout()", slot)
        self._timers.append(timer)
        return timer

    def addPart(self, part: Section):
        """Let a part be entered, left and ended with this section; returns it."""
        self._parts.append(part)
        return part

    def enter(self) -> None:
        """The module is shown."""
        for part in self._parts:
            part.enter()

    def exit(self) -> None:
        """Another module is shown."""
        for part in self._parts:
            part.exit()

    def cleanup(self) -> None:
        """The module ends: nothing is listened to any more, and no timer fires."""
        for signal, slot in self._connections:
            signal.disconnect(slot)
        for timer in self._timers:
            timer.stop()
            timer.blockSignals(True)  # what a task still brings may start it again
        for part in self._parts:
            part.cleanup()


def loadUi(name: str):
    """The widget in Resources/UI/NAME.ui, and an object with its named children as attributes."""
    widget = slicer.util.loadUI(str(UI_FOLDER / f"{name}.ui"))
    return widget, slicer.util.childWidgetVariables(widget)


def userAction(action: Callable[[], object]) -> Callable[..., None]:
    """`action` as a slot; it is called without arguments. Errors that are expected it has to say itself."""

    def slot(_checked: bool = False) -> None:
        with slicer.util.tryWithErrorDisplay(_("This could not be done.")):
            action()

    return slot


def showError(ui, error: Exception | str | None) -> None:
    """Say what is wrong in the `errorFrame` of a layout; None: nothing is."""
    ui.errorFrame.setVisible(error is not None)
    if error is not None:
        ui.errorLabel.text = sentence(error)


def showLines(edit, text: str) -> None:
    """Show a text in a read-only QPlainTextEdit that is as high as its lines, within limits; none without a text."""
    edit.setVisible(bool(text))
    edit.setPlainText(text)
    metrics = qt.QFontMetrics(edit.font)
    room = max(edit.parentWidget().width - _MARGINS_PX, 1)  # its own width is that of before, where it was hidden
    lines = sum(max(1, ceil(metrics.horizontalAdvance(line) / room)) for line in text.split("\n"))
    edit.setFixedHeight(min(max(lines, _FEWEST_LINES), _MOST_LINES) * metrics.height() + 12)


def scrollAreaOf(widget):
    """The QScrollArea that holds a widget, or None."""
    area = widget.parentWidget()
    while area is not None and not area.inherits("QScrollArea"):
        area = area.parentWidget()
    return area


def onClick(*buttons: tuple) -> None:
    """Connect buttons, (button, action) each."""
    for button, action in buttons:
        button.connect("clicked(bool)", userAction(action))


@contextmanager
def withoutSignals(widget) -> Iterator[None]:
    """No signal of `widget` calls back while the block runs; signals that were blocked before stay so."""
    before = widget.blockSignals(True)
    try:
        yield
    finally:
        widget.blockSignals(before)


def makeTableModel(headings: list[str], hints: dict[int, str]):
    """Qt's own model of a table, without rows. Its items are never made in Python: it is unclear who would own them."""
    model = qt.QStandardItemModel()
    model.setColumnCount(len(headings))
    model.setHorizontalHeaderLabels(headings)
    for column, text in hints.items():
        model.setHeaderData(column, qt.Qt.Horizontal, text, qt.Qt.ToolTipRole)
    return model


def dressTable(table, model, widest: dict[int, str], stretched: int) -> None:
    """Set up a QTableView: columns as wide as their widest text, and one that takes the room that is left."""
    table.setModel(model)
    metrics = qt.QFontMetrics(table.font)
    rows, header = table.verticalHeader(), table.horizontalHeader()
    rows.setVisible(False)
    rows.setDefaultSectionSize(metrics.height() + 8)
    header.setHighlightSections(False)
    header.setMinimumSectionSize(20)
    for column, text in widest.items():
        header.resizeSection(column, metrics.horizontalAdvance(text) + 10)
    header.setSectionResizeMode(stretched, qt.QHeaderView.Stretch)


def chooseFolder(title: str, start: str) -> str:
    """The path of a folder that the user chooses, beginning in `start`, or ""."""
    return qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), title, start) or ""


def chooseFile(title: str) -> str:
    """The path of a file that exists and that the user chooses, or ""."""
    return qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), title, "") or ""
