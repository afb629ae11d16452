"""What every section does: load its layout, guard its buttons, ask for a folder, scroll."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import qt
import slicer.util

from ..Translation import _

UI_FOLDER = Path(__file__).resolve().parents[2] / "Resources" / "UI"
_MARGIN = 2


def chooseFolder(title: str, start: str) -> str:
    """The path of a folder that the user chooses, beginning in `start`, or ""."""
    return qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), title, start) or ""


def chooseFile(title: str) -> str:
    """Ask for a file that exists; returns "" when the user cancels."""
    return qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), title, "") or ""


def loadUi(name: str):
    """The widget in Resources/UI/NAME.ui, and an object with its named children as attributes."""
    widget = slicer.util.loadUI(str(UI_FOLDER / f"{name}.ui"))
    return widget, slicer.util.childWidgetVariables(widget)


def bringToTop(widget) -> None:
    """Scroll the area that holds a widget until its top is at the top, as far as there is anything to scroll."""
    area = widget.parentWidget()
    while area is not None and not area.inherits("QScrollArea"):
        area = area.parentWidget()
    if area is not None:
        place = widget.mapTo(area.widget(), qt.QPoint(0, 0))
        area.verticalScrollBar().value = max(place.y() - _MARGIN, 0)


def userAction(action: Callable[[], object]) -> Callable[..., None]:
    """`action` as a slot; it is called without arguments. Errors that are expected it has to say itself."""

    def slot(_checked: bool = False) -> None:
        with slicer.util.tryWithErrorDisplay(_("This could not be done.")):
            action()

    return slot


@contextmanager
def withoutSignals(widget) -> Iterator[None]:
    """No signal of `widget` calls back while the block runs; signals that were blocked before stay so."""
    before = widget.blockSignals(True)
    try:
        yield
    finally:
        widget.blockSignals(before)
