"""A plain Python signal. Qt's own, declared on a Python QObject, can crash Slicer when it exits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Signal:
    """Calls what is connected, in order, when it is emitted."""

    def __init__(self) -> None:
        self._slots: list[Callable[..., Any]] = []

    def connect(self, slot: Callable[..., Any]) -> None:
        """Call `slot` at every `emit`, with what is emitted. Connecting it twice changes nothing."""
        if slot not in self._slots:
            self._slots.append(slot)

    def disconnect(self, slot: Callable[..., Any]) -> None:
        """Call `slot` no more; nothing if it was not connected."""
        if slot in self._slots:
            self._slots.remove(slot)

    def emit(self, *values: Any) -> None:
        """Call every slot. A slot that disconnects another one meanwhile is fine."""
        for slot in list(self._slots):
            if slot in self._slots:
                slot(*values)
