"""Gives PySide's objects PythonQt's ways: properties are attributes, and only what the real class has is there."""

from __future__ import annotations

import functools
import inspect
import sys
from types import BuiltinMethodType

import shiboken6
from PySide6 import QtCore, QtGui, QtNetwork, QtSvg, QtUiTools, QtWidgets
from PySide6.QtCore import QObject

from . import NativeMeta, Signals
from .Facts import ClassFacts, factsOfClass
from .Values import NativeMethod, alive, byTheModule, prepare, refuseNewerNames

MODULES = (QtCore, QtGui, QtWidgets, QtNetwork, QtSvg, QtUiTools)

_property, _setProperty = QObject.property, QObject.setProperty
_findChild, _findChildren = QObject.findChild, QObject.findChildren
# C++ asks Python for overrides of these by their names, so they must never be computed in a look-up.
_VIRTUAL = frozenset({"sizeHint", "minimumSizeHint", "duration"})
_STATIC = frozenset({"singleShot"})
ALWAYS = frozenset({"name", "className", "delete", "findChild", "findChildren", "connect", "disconnect", "metaObject"})


class _VirtualValue:
    """The value of a property whose getter is virtual, asked for when it is used."""

    def __init__(self, getter) -> None:
        self._getter = getter

    def __getattr__(self, name):
        return getattr(self._getter(), name)

    def __call__(self):
        raise TypeError("it is a property in PythonQt: no parentheses")


class _Refused:
    """A method that PySide has and the real class has not."""

    def __init__(self, message: str) -> None:
        self._message = message

    def __call__(self, *arguments, **named):
        raise AttributeError(self._message)


def names(module) -> list[str]:
    """Everything in one of PySide's modules; its types are made when they are asked for."""
    return [name for name in getattr(module, "__all__", dir(module)) if not name.startswith("_")]


def isCpp(cls: type) -> bool:
    """Is it a class of PySide, or the stand-in of a C++ class?"""
    return cls.__module__.startswith(("PySide6", "shiboken6")) or "_isStandIn" in cls.__dict__


@functools.cache
def factsOfType(cls: type) -> ClassFacts | None:
    """The facts of the C++ class that an object of `cls` is."""
    for base in cls.__mro__:
        if "_factsName" in base.__dict__:
            return factsOfClass(base._factsName)
        if isCpp(base):
            return factsOfClass(base.__name__)
    return None


@functools.cache
def _ownPython(cls: type, name: str) -> bool:
    """Does a Python subclass, not the C++ class, define it?"""
    for base in cls.__mro__:
        if isCpp(base):
            return False
        if name in base.__dict__:
            return True
    return False


@functools.cache
def _kind(cls: type, name: str) -> str:
    facts = factsOfType(cls)
    if name in ("connect", "disconnect"):
        return name
    if name.startswith("_") or _ownPython(cls, name) or name in ALWAYS:
        return "native"
    if name in _STATIC:
        return "native"
    if facts is None or not facts.complete:
        if facts is not None and not facts.has(name) and not NativeMeta.knows(cls, name):
            return "refused"
        if NativeMeta.hasProperty(cls, name):
            return "virtual" if name in _VIRTUAL else "property"
        if isinstance(inspect.getattr_static(cls, name, None), QtCore.Signal):
            return "signal"
        return "unlisted" if facts is None else "native"
    if name in facts.properties:
        return "virtual" if name in _VIRTUAL else "property"
    if name in facts.signalNames:
        return "signal"
    if name.endswith("_") and facts.has(name[:-1]):
        return "alias"
    return "native" if facts.has(name) else "refused"


def _signalSignature(cls: type, name: str) -> str:
    facts = factsOfType(cls)
    if facts is None or name not in facts.signalNames:
        found = [signature for signature in NativeMeta.signalsOf(cls) if signature.split("(")[0] == name]
        return max(found, key=len)
    signatures = facts.signalNames[name]
    longest = max(signatures, key=lambda signature: signature.count(",") + ("()" not in signature))
    rivals = [other for other in signatures if not longest.startswith(other.rstrip(")")) or other == longest]
    if len(rivals) > 1:
        raise AttributeError(f"'{name}' has several signatures: connect by one of the strings {signatures}")
    return longest


def _get(original, self, name):
    cls = type(self)
    kind = _kind(cls, name)
    if kind == "native" or kind == "unlisted":
        if kind == "unlisted" and byTheModule(sys._getframe(2)):
            raise AttributeError(f"nothing is known of {cls.__name__}: list it in Testing/data/slicer-api/wrappers.py")
        value = original(self, name)
        return NativeMethod(value) if type(value) is BuiltinMethodType else value
    if kind == "property":
        value = alive(_property, self, name)
        if value is None and self.metaObject().indexOfProperty(name) < 0:
            raise NotImplementedError(f"the harness has no property '{name}' of {cls.__name__}")
        return tuple(value) if isinstance(value, list) else value
    if kind == "virtual":
        return _VirtualValue(original(self, name))
    if kind == "signal":
        return Signals.BoundSignal(self, factsOfType(cls), _signalSignature(cls, name))
    if kind == "connect":
        return functools.partial(_connect, original(self, name), self)
    if kind == "disconnect":
        return functools.partial(_disconnect, original(self, name), self)
    if kind == "alias":
        return original(self, name[:-1] if hasattr(cls, name[:-1]) else name)
    own = original(self, "__dict__").get(name)
    if own is not None and not isinstance(own, QtCore.SignalInstance):  # PySide keeps signals there
        return own
    message = f"'{factsOfType(cls).className}' has no attribute '{name}' in desktop Slicer"
    known = inspect.getattr_static(cls, name, None)
    if callable(known) and not isinstance(known, QtCore.Signal):
        return _Refused(message)  # C++ may be asking for an override: an error here would confuse it
    raise AttributeError(message)


class Loading:
    """While a .ui is loaded, PySide wants to set the children as attributes of the root; PythonQt does not."""

    active = False


def _set(original, self, name, value):
    if Loading.active and isinstance(value, QObject) and not name.startswith("_"):
        return
    cls = type(self)
    descriptor = inspect.getattr_static(cls, name, None)
    if name == "name":
        _setProperty(self, "objectName", value)
    elif _ownPython(cls, name) and hasattr(type(descriptor), "__set__"):
        descriptor.__set__(self, value)
    elif name in _STATIC or name.startswith("__"):
        raise AttributeError(f"'{name}' of {cls.__name__} cannot be set: use its setter")
    elif _kind(cls, name) in ("property", "virtual"):
        _setQtProperty(self, cls, name, value)
    elif isCpp(cls) and not (name.startswith("_") and "_isStandIn" in cls.__dict__):
        raise AttributeError(f"'{name}' does not exist on {cls.__name__}, and C++ objects take no new attributes")
    else:
        self.__dict__[name] = value


def _setQtProperty(self, cls, name, value):
    facts = factsOfType(cls)
    if facts is not None and facts.complete and not facts.isWritable(name):
        raise AttributeError(f"property '{name}' of {cls.__name__} is read-only")
    if value is None:
        raise AttributeError(f"property '{name}' of {cls.__name__} was set to None")
    if self.metaObject().indexOfProperty(name) < 0:
        raise NotImplementedError(f"the harness has no property '{name}' of {cls.__name__}")
    if not _setProperty(self, name, list(value) if isinstance(value, tuple) else value):
        raise AttributeError(f"property '{name}' of {cls.__name__} does not accept {value!r}")


def _isNativeCall(arguments) -> bool:
    # PySide's own glue calls timer.connect(timer, "2timeout()", f).
    return not (arguments and isinstance(arguments[0], str) and not arguments[0][:1].isdigit())


def _connect(native, self, *arguments):
    if _isNativeCall(arguments):
        return native(*arguments)
    return Signals.connect(self, factsOfType(type(self)), *arguments)


def _disconnect(native, self, *arguments):
    if _isNativeCall(arguments):
        return native(*arguments)
    return Signals.disconnect(self, factsOfType(type(self)), *arguments)


def _children(self, kind=QObject, name=None, *options):
    found = _findChildren(self, QObject) if isinstance(kind, str) else _findChildren(self, kind)
    if isinstance(kind, str):
        found = [child for child in found if child.inherits(kind)]
    return tuple(child for child in found if name is None or _property(child, "objectName") == name)


def _child(self, kind=QObject, name=None, *options):
    found = _children(self, kind, name)
    return found[0] if found else None


def patch() -> None:
    """Change every QObject class of PySide. Once in a process."""
    classes = NativeMeta.allClasses(MODULES, names)
    NativeMeta.read(classes)
    for cls in classes:
        for method, replacement in (("__getattribute__", _get), ("__setattr__", _set)):
            if method in cls.__dict__:
                setattr(cls, method, _replaced(replacement, cls.__dict__[method]))
    prepare(_classOf)
    refuseNewerNames(MODULES, names)
    QObject.className = lambda self: vars(type(self)).get("_factsName") or self.metaObject().className()
    QObject.delete = lambda self: shiboken6.delete(self)
    QObject.name = property(lambda self: _property(self, "objectName"))
    QObject.findChildren, QObject.findChild = _children, _child


def _classOf(name: str):
    return next((getattr(module, name) for module in MODULES if hasattr(module, name)), None)


def _replaced(replacement, original):
    return lambda self, *arguments: replacement(original, self, *arguments)
