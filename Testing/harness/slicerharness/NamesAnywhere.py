"""The names that anything in Slicer has: the last check for objects of which the text does not tell the class."""

from __future__ import annotations

import ast
import re
import xml.etree.ElementTree as ElementTree
from functools import lru_cache
from pathlib import Path

import SimpleITK
import slicer
import vtk

from . import PythonQt
from .Facts import allFacts

MODULE = Path(__file__).resolve().parents[3] / "MetaSSLSlicer"
_OF_SLICER = re.compile("(set|is|has|add|remove|insert|take|show|select|Set|Get|Add|Remove|Create|Is|Has)[A-Z]")


def existsSomewhere(name: str) -> bool:
    """Does anything have this name? A name that does not look like one of Qt's, VTK's or MRML's passes."""
    return _OF_SLICER.match(name) is None or name in _names()


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    found = set(PythonQt.ALWAYS)
    for facts in allFacts().values():
        found.update(facts.get("properties", ()), facts.get("attributes", ()))
        found.update(signature.split("(")[0] for kind in ("signals", "slots") for signature in facts.get(kind, ()))
    for module in (slicer, vtk, SimpleITK):
        classes = [cls for name in dir(module) if isinstance(cls := getattr(module, name), type)]
        found.update(dir(module), *map(vars, classes))
    for path in MODULE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                found.add(node.name)
            elif isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Store):
                found.add(node.id if isinstance(node, ast.Name) else node.attr)
    for path in MODULE.rglob("*.ui"):
        found.update(item.get("name") for item in ElementTree.parse(path).getroot().iter("widget"))
    return frozenset(found)
