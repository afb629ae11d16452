"""Sections that are folded away for a while."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial


class Folding:
    """Folds ctkCollapsibleButtons and gives them back as they were; one that the user has touched stays as it is."""

    def __init__(self, buttons: Sequence) -> None:
        self._buttons = tuple(buttons)
        self._wasOpen: set[int] = set()
        self.isFolded = False
        """True from `fold` to `unfold`."""
        self._isOurs = False
        self._slots = [partial(self._onFolded, index) for index in range(len(self._buttons))]
        for button, slot in zip(self._buttons, self._slots):
            button.connect("contentsCollapsed(bool)", slot)

    def fold(self) -> None:
        """Fold what is open. Called again, it leaves alone what was opened meanwhile."""
        if not self.isFolded:
            self.isFolded = True
            self._wasOpen = {index for index, button in enumerate(self._buttons) if not button.collapsed}
            self._setCollapsed(True)

    def unfold(self) -> None:
        """Open again what was folded here."""
        if self.isFolded:
            self.isFolded = False
            self._setCollapsed(False)
            self._wasOpen = set()

    def cleanup(self) -> None:
        """Give everything back; the buttons may be gone, with the main window."""
        with suppress(ValueError):
            self.unfold()
            for button, slot in zip(self._buttons, self._slots):
                button.disconnect("contentsCollapsed(bool)", slot)
        self._buttons = ()

    def _setCollapsed(self, collapsed: bool) -> None:
        self._isOurs = True
        for index in sorted(self._wasOpen):
            self._buttons[index].collapsed = collapsed
        self._isOurs = False

    def _onFolded(self, index: int, _collapsed: bool) -> None:
        if not self._isOurs:
            self._wasOpen.discard(index)
