"""Signals as PythonQt has them: `b.clicked.connect(f)` and `b.connect("clicked(bool)", f)`."""

from __future__ import annotations

from collections.abc import Callable

import shiboken6
from PySide6.QtCore import SIGNAL, QMetaObject, QObject

from .Callbacks import isNative, wrap
from .Facts import ClassFacts

# The static forms: the instance's own one gets a null sender for QProcess.
_nativeConnect, _nativeDisconnect = QObject.connect, QObject.disconnect

QT5_TO_QT6 = {
    "currentIndexChanged(QString)": "currentTextChanged(QString)",
    "activated(QString)": "textActivated(QString)",
    "highlighted(QString)": "textHighlighted(QString)",
    "valueChanged(QString)": "textChanged(QString)",
    "buttonClicked(int)": "idClicked(int)",
    "buttonPressed(int)": "idPressed(int)",
    "buttonReleased(int)": "idReleased(int)",
    "buttonToggled(int,bool)": "idToggled(int,bool)",
    "dataChanged(QModelIndex,QModelIndex,QVector<int>)": "dataChanged(QModelIndex,QModelIndex,QList<int>)",
    "dataChanged(QModelIndex,QModelIndex)": "dataChanged(QModelIndex,QModelIndex,QList<int>)",
}

_connections: dict[int, list[tuple[str, Callable, Callable]]] = {}


class BoundSignal:
    """`widget.clicked`: a signal of one object."""

    def __init__(self, sender: QObject, facts: ClassFacts | None, signature: str) -> None:
        self._sender, self._facts, self._signature = sender, facts, signature

    def connect(self, slot: Callable) -> bool:
        """Call `slot` whenever the signal is emitted."""
        return connect(self._sender, self._facts, self._signature, slot)

    def disconnect(self, slot: Callable | None = None) -> bool:
        """Call it no more."""
        return disconnect(self._sender, self._facts, self._signature, slot)

    def emit(self, *arguments) -> None:
        """Emit it."""
        native = _native(self._sender, self._signature)
        if isinstance(native, str):
            native = object.__getattribute__(self._sender, native.lstrip("2").split("(")[0])
        native.emit(*arguments)

    __call__ = emit


def normalized(signature: str) -> str:
    """The signature in Qt's own spelling."""
    return QMetaObject.normalizedSignature(signature).data().decode()


def connect(sender: QObject, facts: ClassFacts | None, signature: str, *target) -> bool:
    """`sender.connect(signature, function)` or `sender.connect(signature, receiver, "slot(args)")`."""
    slot = getattr(target[0], target[1].split("(")[0]) if len(target) == 2 else target[0]
    if not callable(slot):
        raise TypeError(f"'{slot!r}' cannot be called: {signature} cannot be connected to it")
    _check(sender, facts, signature)
    native = _native(sender, signature)
    callback = getattr(slot, "method", slot) if isNative(slot) else wrap(slot)
    _remember(sender, (normalized(signature), slot, callback))
    return bool(_nativeConnect(sender, native, callback) if isinstance(native, str) else native.connect(callback))


def disconnect(sender: QObject, facts: ClassFacts | None, signature: str, *target) -> bool:
    """Undo `connect`; False if there was nothing to undo."""
    slot = getattr(target[0], target[1].split("(")[0]) if len(target) == 2 else (target or (None,))[0]
    _check(sender, facts, signature)
    native = _native(sender, signature)
    known = _connections.get(_address(sender), [])
    wanted = normalized(signature)
    found = [entry for entry in known if entry[0] == wanted and (slot is None or entry[1] == slot)]
    for entry in found:
        known.remove(entry)
        if isinstance(native, str):
            _nativeDisconnect(sender, native, entry[2])
        else:
            native.disconnect(entry[2])
    return bool(found)


def _check(sender: QObject, facts: ClassFacts | None, signature: str) -> None:
    if not shiboken6.isValid(sender):
        raise ValueError(f"Trying to call 'connect' or 'disconnect' on a destroyed object: {signature}")
    # PythonQt prints a remark and returns False.
    wanted = normalized(signature)
    if "(" not in wanted:
        raise ValueError(f"'{signature}' is no signature of a signal: write it with its arguments' types")
    if facts is not None and facts.complete:
        if wanted not in facts.signals:
            known = ", ".join(sorted(facts.signals))
            raise ValueError(f"'{signature}' is not a signal of {facts.className}, which has: {known}")
    elif sender.metaObject().indexOfSignal(QT5_TO_QT6.get(wanted, wanted)) < 0:
        raise ValueError(f"'{signature}' is not a signal of {sender.metaObject().className()}")


def _native(sender: QObject, signature: str):
    """PySide's signal for this signature: a stand-in's own one, or the string for QObject.connect."""
    wanted = normalized(signature)
    own = getattr(type(sender), "_signals", {})
    if wanted in own:
        return object.__getattribute__(sender, own[wanted])
    if sender.metaObject().indexOfSignal(wanted) < 0:
        wanted = QT5_TO_QT6.get(wanted, wanted)
    if sender.metaObject().indexOfSignal(wanted) < 0:
        raise NotImplementedError(f"the harness cannot emit '{signature}' of {sender.metaObject().className()}")
    return SIGNAL(wanted)


def _address(sender: QObject) -> int:
    return shiboken6.getCppPointer(sender)[0]


def _remember(sender: QObject, entry: tuple[str, Callable, Callable]) -> None:
    address = _address(sender)
    if address not in _connections:
        _connections[address] = []
        _nativeConnect(sender, SIGNAL("destroyed()"), lambda: _connections.pop(address, None))
    _connections[address].append(entry)
