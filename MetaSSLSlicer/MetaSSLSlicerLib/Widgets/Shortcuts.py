"""The panel's keys. They exist only while the module is shown, so that no other module loses one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import qt
import slicer.util

from .userAction import userAction

KEYS = {
    "nextSpot": "N",
    "previousSpot": "B",
    "blink": "H",
    "accept": "A",
    "correct": "C",
    "acceptConfident": "K",
    "reject": "X",
    "saveLabel": "Ctrl+Return",
    "nextCase": "Ctrl+Shift+N",
}
"""What can be done with one key. Letters that Slicer's segment editor and slice views leave free."""


class Shortcuts:
    """Binds keys to the actions of the sections, by the names in `KEYS`."""

    def __init__(self, actions: Mapping[str, Callable[[], None]]) -> None:
        self._actions = actions
        self._shortcuts: list = []

    def install(self) -> None:
        """Make the keys work, in the main window and whatever it holds."""
        window = slicer.util.mainWindow()
        if window is None or self._shortcuts:
            return
        for name, action in self._actions.items():
            shortcut = qt.QShortcut(qt.QKeySequence(KEYS[name]), window)
            shortcut.connect("activated()", userAction(action))
            self._shortcuts.append(shortcut)

    def remove(self) -> None:
        """Give the keys back."""
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)
            shortcut.setParent(None)
            shortcut.deleteLater()
        self._shortcuts = []
