"""Finds in source code what would go wrong in desktop Slicer, often without a word."""

from __future__ import annotations

import ast
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from .Facts import ClassFacts
from .NamesAnywhere import existsSomewhere
from .NamesOfQt import hasMember, problemOfName, signalExists
from .Types import Types
from .Values import RETURN_UNKNOWN

UI_FOLDER = Path(__file__).resolve().parents[3] / "MetaSSLSlicer" / "Resources" / "UI"
_ROOTS = ("qt", "ctk", "slicer", "vtk")
_OTHER_BINDINGS = ("PySide6", "PySide2", "PyQt5", "PyQt6", "shiboken6")


def problemsOfCode(source: str, uiFolder: Path = UI_FOLDER) -> list[str]:
    """All problems, each with its line."""
    tree = ast.parse(source)
    scan = _Scan(tree, _childrenOfUi(tree, uiFolder))
    scan.visit(tree)
    return scan.problems


class _Scan(ast.NodeVisitor):
    def __init__(self, tree: ast.Module, children: dict[str, str] | None) -> None:
        self.problems: list[str] = []
        self._children = children
        self._types = Types(tree, children)
        self._depth = 0

    def _complain(self, node: ast.AST, problem: str | None) -> None:
        if problem:
            self.problems.append(f"line {node.lineno}: {problem}")

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.name.split(".")[0] in _OTHER_BINDINGS:
                self._complain(node, f"import {alias.name}: Slicer has PythonQt")

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if (node.module or "").split(".")[0] in _OTHER_BINDINGS:
            self._complain(node, f"import of {node.module}: Slicer has PythonQt")

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        if not self._depth:  # functions inside a function see its names
            self._types.enter(node)
        self._depth += 1
        self.generic_visit(node)
        self._depth -= 1

    def visit_Attribute(self, node: ast.Attribute) -> None:
        chain = _chain(node)
        if chain and chain[0] in _ROOTS:
            self._complain(node, problemOfName(chain))
            return
        self._complain(node, self._problemOfChild(chain or []) or self._problemOfMember(node))
        self.generic_visit(node)

    def visit_If(self, node: ast.If | ast.While | ast.IfExp | ast.Assert) -> None:
        self._complain(node, self._problemOfTruth(node.test))
        self.generic_visit(node)

    visit_While = visit_IfExp = visit_Assert = visit_If

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        for value in node.values:
            self._complain(node, self._problemOfTruth(value))
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self._complain(node, self._problemOfTruth(node.operand))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in ("connect", "disconnect") and node.args:
            self._complain(node, self._problemOfSignal(node))
        if name == "isinstance" and len(node.args) == 2:
            self._complain(node, _problemOfIsinstance(node.args[1]))
        if name in RETURN_UNKNOWN and isinstance(node.func, ast.Attribute):
            self._complain(node, f"{name}() returns a type that PythonQt may not know: make the value yourself")
        if name == "_" and isinstance(node.func, ast.Name):
            literal = len(node.args) == 1 and isinstance(node.args[0], ast.Constant)
            self._complain(node, None if literal else "_() takes one literal text: use _(...).format(...)")
        chain = _chain(node.func)
        if chain and chain[0] in _ROOTS and any(_isOred(value) for value in _values(node)):
            self._complain(node, f"{'.'.join(chain)}: or-ed flags get lost here; use a setter")
        self.generic_visit(node)

    def _problemOfMember(self, node: ast.Attribute) -> str | None:
        kind = self._types.of(node.value)
        if isinstance(kind, type):
            return None if hasattr(kind, node.attr) else f"{kind.__name__} has no '{node.attr}'"
        if kind is None:
            return None if existsSomewhere(node.attr) else f"nothing in Slicer has a '{node.attr}'"
        return None if hasMember(kind, node.attr) else f"{kind.className} has no '{node.attr}'"

    def _problemOfTruth(self, node: ast.AST) -> str | None:
        if self._types.of(node) is None:
            return None
        return f"{ast.unparse(node)} may be false while it is there: write `is not None`, or what you mean"

    def _problemOfSignal(self, node: ast.Call) -> str | None:
        first = node.args[0]
        if not (isinstance(first, ast.Constant) and isinstance(first.value, str)):
            return None
        if not signalExists(first.value):
            return f"no class has a signal '{first.value}'"
        facts = self._types.of(node.func.value) if isinstance(node.func, ast.Attribute) else None
        if isinstance(facts, ClassFacts) and facts.complete and first.value not in facts.signals:
            return f"{facts.className} has no signal '{first.value}'"
        return None

    def _problemOfChild(self, chain: list[str]) -> str | None:
        names = _afterUi(chain)
        if self._children is None or len(names) != 1:
            return None
        if names[0] not in self._children:
            return f"the .ui has no widget '{names[0]}' (for a layout, ask its widget: an empty one is false)"
        return None


def _chain(node: ast.AST) -> list[str] | None:
    """qt.Qt.AlignLeft -> ["qt", "Qt", "AlignLeft"]; None for anything but plain names."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    return [node.id, *names] if isinstance(node, ast.Name) else None


def _afterUi(chain: list[str]) -> list[str]:
    if chain[:1] == ["ui"]:
        return chain[1:]
    return chain[2:] if chain[:2] == ["self", "ui"] else []


def _childrenOfUi(tree: ast.Module, folder: Path) -> dict[str, str] | None:
    """Name -> class of the widgets in the .ui that the code loads; None unless it loads exactly one."""
    loaded = [
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "loadUi"
        and node.args
        and isinstance(node.args[0], ast.Constant)
    ]
    path = folder / f"{loaded[0]}.ui" if len(loaded) == 1 else None
    if path is None or not path.is_file():
        return None
    root = ElementTree.parse(path).getroot()
    return {item.get("name"): item.get("class") for kind in ("widget", "action") for item in root.iter(kind)}


def _problemOfIsinstance(node: ast.AST) -> str | None:
    for kind in node.elts if isinstance(node, ast.Tuple) else [node]:
        chain = _chain(kind) or []
        if chain[:1] in (["qt"], ["ctk"]) or (chain[:1] == ["slicer"] and chain[1:2] and chain[1].startswith("q")):
            return "isinstance does not know C++ inheritance: use inherits()"
    return None


def _values(node: ast.Call) -> list[ast.AST]:
    return [*node.args, *(keyword.value for keyword in node.keywords)]


def _isOred(node: ast.AST) -> bool:
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr)):
        return False
    return any((_chain(side) or [""])[0] in _ROOTS or _isOred(side) for side in (node.left, node.right))
