"""Makes the Python base of a stand-in out of the facts: every property, signal and setter of the real class.

A stand-in adds behaviour: `_get_NAME` / `_set_NAME` for a property, `_changed(name)` after one was stored, and a
method for each slot that is called. What nobody has written raises NotImplementedError when it is called.
"""

from __future__ import annotations

import re

import shiboken6
from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, Signal

from . import NativeMeta
from .Facts import ClassFacts, factsOf, factsOfClass

_TYPES = {
    "bool": (bool, False),
    "int": (int, 0),
    "double": (float, 0.0),
    "QString": (str, ""),
    "QStringList": ("QStringList", []),
    "QIcon": (QtGui.QIcon, None),
    "QColor": (QtGui.QColor, None),
    "QSize": (QtCore.QSize, None),
    "QPixmap": (QtGui.QPixmap, None),
    "QFont": (QtGui.QFont, None),
}
_ENUMS = (QtCore.QDir, QtWidgets.QFileDialog, QtWidgets.QFrame, QtWidgets.QComboBox, QtWidgets.QSlider, QtCore.Qt)


class Behaviour:
    """Hooks that a stand-in may override."""

    _isStandIn = True
    _defaults: dict = {}

    def _changed(self, name: str) -> None:
        """A property was stored."""

    def inherits(self, className: str) -> bool:
        """Is it, in C++, of this class or of one derived from it?"""
        return QtCore.QObject.inherits(self, className) or className in factsOfClass(self._factsName).bases

    def _emit(self, signature: str, *arguments) -> None:
        emit(self, signature, *arguments)

    def _observe(self, vtkObject, event, method) -> int:
        """Observe a VTK object as long as this Qt object lives."""

        def callback(*_):
            if shiboken6.isValid(self):
                method()

        return vtkObject.AddObserver(event, callback)


def standIn(name: str, base: type | None = None) -> type:
    """The base class for the stand-in of, for example, "ctk.ctkSliderWidget".

    `base`: the PySide class or stand-in it derives from; None: the nearest one of its C++ bases that PySide has.
    """
    facts = factsOf(name)
    if facts is None:
        raise LookupError(f"desktop Slicer has no {name}, or nothing is known of it")
    base = base or _qtBase(facts)
    inherited = _inheritedNames(base)
    contents: dict = {
        "_isStandIn": True,
        "_factsName": facts.className,
        "_signals": dict(getattr(base, "_signals", {})),
    }
    for number, signature in enumerate(sorted(facts.signals)):
        if signature.split("(")[0] not in inherited:
            attribute = f"_signal{number}_{signature.split('(')[0]}"
            contents[attribute] = Signal(*(_signalType(kind) for kind in _arguments(signature)))
            contents["_signals"][signature] = attribute
    for property_, kind in facts.properties.items():
        if property_ not in inherited:
            contents[property_] = _property(property_, kind)
            contents[f"set{property_[:1].upper()}{property_[1:]}"] = _setter(property_)
    for attribute in sorted(facts.attributes | facts.slotNames):
        if attribute not in contents and attribute not in inherited and not hasattr(base, attribute):
            contents[attribute] = _constant(attribute) if attribute[0].isupper() else _missing(facts, attribute)
    bases = (base,) if issubclass(base, Behaviour) else (Behaviour, base)
    return type(base)(f"{facts.className}Base", bases, contents)


def emit(sender, signature: str, *arguments) -> None:
    """Emit a stand-in's own signal."""
    object.__getattribute__(sender, sender._signals[signature]).emit(*arguments)


def _qtBase(facts: ClassFacts) -> type:
    found = [getattr(QtWidgets, name) for name in facts.bases if hasattr(QtWidgets, name)]
    return max(found, key=lambda cls: len(cls.__mro__), default=QtCore.QObject)


def _inheritedNames(base: type) -> set[str]:
    names: set[str] = set()
    for cls in base.__mro__:
        facts = factsOfClass(cls.__dict__.get("_factsName", cls.__name__))
        if facts is not None:
            names.update(facts.properties, facts.signalNames)
        names.update(NativeMeta.propertiesOf(cls))
        names.update(signature.split("(")[0] for signature in NativeMeta.signalsOf(cls))
    return names


def _arguments(signature: str) -> list[str]:
    inside = signature[signature.index("(") + 1 : -1]
    return inside.split(",") if inside else []


def _signalType(kind: str):
    return _TYPES.get(kind, (object,))[0] if kind not in ("QStringList", "QPixmap", "QFont") else object


def _property(name: str, kind: str) -> Property:
    qtType, default = _TYPES.get(
        kind.split(" ")[0], (int if re.search("::|Options|Filters|Policy", kind) else object, None)
    )

    def getter(self):
        own = getattr(self, f"_get_{name}", None)
        if own is not None:
            return own()
        value = self.__dict__.get(f"_value_{name}", self._defaults.get(name, default))
        return qtType() if value is None and isinstance(qtType, type) and qtType is not object else value

    def setter(self, value):
        own = getattr(self, f"_set_{name}", None)
        if own is not None:
            own(value)
        else:
            self.__dict__[f"_value_{name}"] = value
            self._changed(name)

    return Property(qtType, getter, None if "read-only" in kind else setter)


def _setter(name: str):
    def set_(self, value):
        self.setProperty(name, value)

    return set_


def _missing(facts: ClassFacts, name: str):
    def method(self, *arguments):
        raise NotImplementedError(f"the harness's stand-in of {facts.className} has no '{name}' yet")

    return method


def _constant(name: str):
    """The value of an enum's constant where Qt has one of this name, else any number."""
    for source in _ENUMS:
        value = getattr(source, name, None)
        if hasattr(value, "value"):
            return int(value.value)
    return sum(ord(letter) << (index % 3) for index, letter in enumerate(name))
