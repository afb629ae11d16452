"""Where the panel keeps the user's choices: Slicer's settings or, for the self test, a file of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import qt

_exchanged: list = []


def userSettings():
    """The settings (QSettings) to read and to write now; ask each time."""
    return _exchanged[-1] if _exchanged else qt.QSettings()


@contextmanager
def settingsIn(path: Path) -> Iterator:
    """Until the end of the block, the choices are kept in the file `path`; gives these settings."""
    own = qt.QSettings(str(path), qt.QSettings.IniFormat)
    _exchanged.append(own)
    try:
        yield own
    finally:
        _exchanged.remove(own)
        own.sync()
