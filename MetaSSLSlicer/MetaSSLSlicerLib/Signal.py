"""Who is told of what: a plain Python signal, and observers of VTK's objects.

Qt's own signals, declared on a Python QObject, can crash Slicer when it exits.
"""

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


class Observers:
    """The observers of VTK objects that one of ours has added."""

    def __init__(self) -> None:
        self._added: list[tuple[Any, int]] = []

    def __bool__(self) -> bool:
        return bool(self._added)

    def add(self, target, event, callback: Callable[..., Any], priority: float = 0.0) -> None:
        """Have `callback` called at an event of `target`, until `remove`."""
        self._added.append((target, target.AddObserver(event, callback, priority)))

    def remove(self, target=None) -> None:
        """Observe `target` no more; None: nothing at all."""
        for observed, tag in self._added:
            if target is None or observed is target:
                observed.RemoveObserver(tag)
        self._added = [] if target is None else [entry for entry in self._added if entry[0] is not target]
