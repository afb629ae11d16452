"""The panel's keys. They exist only while the module is shown, so that no other module loses one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import qt
import slicer
import slicer.util

from ..Translation import _
from .Section import userAction

KEYS = {
    "nextSpot": "N",
    "previousSpot": "Shift+N",
    "nextSlice": "M",
    "didSlices": "Shift+M",
    "blink": "H",
    "accept": "Shift+A",
    "correct": "C",
    "acceptConfident": "K",
    "reject": "Shift+X",
    "larger": "Ctrl+Up",
    "smaller": "Ctrl+Down",
    "saveLabel": "Ctrl+Return",
    "nextCase": "Ctrl+Shift+N",
    "nextAuditCase": "Ctrl+Shift+J",
}
"""What can be done with one key, of those that Slicer's segment editor (Draw: A, X) and slice views leave free."""

_HELD = ("larger", "smaller")  # go on as long as the key is held down
_TYPED_INTO = ("QPlainTextEdit", "QTextEdit")


def withKey(text: str, name: str) -> str:
    """The text of a button with the key of its action, one of `KEYS`: "Accept  (Shift+A)"."""
    return _("{text}  ({key})").format(text=text, key=KEYS[name])


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
            shortcut.setAutoRepeat(name in _HELD)  # a key that is held down must not accept the next case, too
            shortcut.connect("activated()", userAction(partial(_unlessTyped, action)))
            self._shortcuts.append(shortcut)

    def remove(self) -> None:
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)
            shortcut.setParent(None)
            shortcut.deleteLater()
        self._shortcuts = []


def _unlessTyped(action: Callable[[], None]) -> None:
    """A letter may be meant for a text. (A line of text takes it before any shortcut does.)"""
    focus = slicer.app.focusWidget()
    if focus is None or not any(focus.inherits(kind) for kind in _TYPED_INTO):
        action()
