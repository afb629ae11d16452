"""Which names exist in desktop Slicer's `qt`, `ctk` and `slicer`, as far as the facts tell."""

from __future__ import annotations

from enum import EnumMeta
from functools import cache

import slicer
import vtk
from PySide6.QtCore import QMetaObject

from . import NativeMeta, PythonQt
from .Facts import ClassFacts, allFacts, factsOf, knownSignals
from .Signals import QT5_TO_QT6

ABSENT_FROM_QT = frozenset({"Signal", "Slot", "Property", "QTest"})
_QT6_TO_QT5 = {new: old for old, new in QT5_TO_QT6.items()}


def problemOfName(chain: list[str]) -> str | None:
    """What is wrong with, for example, ["qt", "QLabel", "foo"], or None."""
    root, *rest = chain
    if root == "qt":
        return _problemInQt(rest)
    if root == "ctk":
        return _problemInClass("ctk", rest, factsOf(f"ctk.{rest[0]}") is not None)
    if root == "slicer" and rest[0].startswith("q"):
        return _problemInClass("slicer", rest, rest[0] in allFacts()["slicer"]["attributes"])
    if root == "slicer" and rest[0] == "util" and len(rest) > 1:
        return None if rest[1] in allFacts()["slicer.util"]["attributes"] else f"no slicer.util.{rest[1]}"
    if root == "vtk" or root == "slicer" and rest[0].startswith("vtk"):
        return None if _ofVtk(root, rest) else f"no {'.'.join(chain[:3])}"
    if root == "slicer" and rest[0] == "modules" and len(rest) > 1:
        return None if rest[1] in allFacts()["slicer.modules"]["attributes"] else f"no slicer.modules.{rest[1]}"
    if root == "slicer" and rest[0] == "app" and len(rest) > 1:
        return None if factsOf("slicer.app").has(rest[1]) else f"no slicer.app.{rest[1]}"
    return None


def hasMember(facts: ClassFacts, name: str) -> bool:
    """Has an object of this class anything of this name?"""
    if facts.has(name) or name in PythonQt.ALWAYS:
        return True
    cls = None if facts.complete or facts.className == "Qt" else _pyside(facts.className)
    if cls is None:
        return False
    # the wrappers list no slots and properties, and not the enums that Qt tells itself
    return NativeMeta.knows(cls, name) or name[:1].isupper() and hasattr(cls, name)


def signalExists(signature: str) -> bool:
    """Does any class have a signal of exactly this signature?"""
    if signature != QMetaObject.normalizedSignature(signature).data().decode():
        return False
    return signature in knownSignals() or signature in _signalsOfOtherClasses()


def _problemInQt(rest: list[str]) -> str | None:
    name = rest[0]
    if name in ABSENT_FROM_QT:
        return f"qt.{name} must not be used"
    cls = _pyside(name)
    if cls is None:
        return f"no qt.{name}"
    if len(rest) > 2 and isinstance(getattr(cls, rest[1], None), EnumMeta):
        return f"write qt.{name}.{rest[2]}, without {rest[1]}"
    if factsOf(f"qt.{name}") is None:
        return f"nothing is known of qt.{name}: list it in Testing/data/slicer-api/wrappers.py"
    return _problemInClass("qt", rest, True)


def _ofVtk(root: str, rest: list[str]) -> bool:
    """Has slicer-core this class, and the class this name?"""
    found = {"vtk": vtk, "slicer": slicer}[root]
    for name in rest[: 2 if root == "slicer" else len(rest)]:
        if not hasattr(found, name):
            return False
        found = getattr(found, name)
    return True


def _problemInClass(namespace: str, rest: list[str], exists: bool) -> str | None:
    if not exists:
        return f"no {namespace}.{rest[0]}"
    facts = factsOf(f"{namespace}.{rest[0]}")
    if facts is not None and len(rest) > 1 and not hasMember(facts, rest[1]):
        return f"no {namespace}.{rest[0]}.{rest[1]}"
    return None


def _pyside(name: str):
    for module in PythonQt.MODULES:
        if hasattr(module, name) and name in PythonQt.names(module):
            return getattr(module, name)
    return None


@cache
def _signalsOfOtherClasses() -> frozenset[str]:
    """Signals of the Qt classes of which the facts tell none, in Qt 5's spelling."""
    found = set()
    for cls, signatures in NativeMeta.ownSignals().items():
        facts = factsOf(f"qt.{cls.__name__}")
        if facts is None or not facts.complete:
            found.update(_QT6_TO_QT5.get(signature, signature) for signature in signatures)
    return frozenset(found)
