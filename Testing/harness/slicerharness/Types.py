"""Of which class the objects in a source file are, as far as the text tells."""

from __future__ import annotations

import ast

import slicer
import vtk

from .Facts import ClassFacts, factsOf, factsOfClass, returnedBy

_BY_CLASS = ("AddNewNodeByClass", "CreateNodeByClass", "GetSingletonNode", "GetFirstNodeByClass")
_CALLS = ("slicer.app.layoutManager()", "slicer.util.mainWindow()")


class Types:
    """`of(node)`: the facts of a Qt class, or a class of VTK; None where nothing is known."""

    def __init__(self, tree: ast.Module, children: dict[str, str] | None) -> None:
        self._children = children or {}
        self._variables: dict[str, object] = {}
        self._members: dict[str, object] = {}
        self._collect(tree, "self.", self._members)
        for statement in tree.body:
            if not isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
                self._collect(statement, "", self._variables)
        self._ofModule = self._variables
        if self._children:  # self.widget, self.ui = loadUi(...)
            self._members["self.widget"] = factsOfClass(next(iter(self._children.values())))

    def enter(self, function: ast.AST) -> None:
        """From here on, names are those of this function."""
        self._variables = dict(self._ofModule)
        self._collect(function, "", self._variables)
        for argument in ast.walk(function):
            if isinstance(argument, ast.arg):
                self._variables[argument.arg] = None

    def of(self, node: ast.AST):
        """What an expression is."""
        if isinstance(node, ast.Name):
            return self._variables.get(node.id)
        if isinstance(node, ast.Attribute):
            return self._ofAttribute(node)
        if isinstance(node, ast.Call):
            return self._ofCall(node)
        return None

    def _ofAttribute(self, node: ast.Attribute):
        text = ast.unparse(node)
        if text.startswith(("ui.", "self.ui.")) and text.count(".") == text.startswith("self") + 1:
            return factsOfClass(self._children.get(node.attr, ""))
        if text.startswith("self.") and text.count(".") == 1:
            return self._members.get(text)
        owner = self.of(node.value)
        if isinstance(owner, ClassFacts) and node.attr in owner.properties:
            return factsOfClass(owner.properties[node.attr].split(" ")[0].rstrip("*"))
        return None

    def _ofCall(self, node: ast.Call):
        text = ast.unparse(node.func)
        if f"{text}()" in _CALLS:
            return factsOf(f"{text}()")
        root, _, name = text.partition(".")
        if root in ("qt", "ctk", "slicer") and name[:1].isalpha() and "." not in name:
            return getattr(slicer, name, None) if name.startswith("vtk") else factsOf(text)
        if root == "vtk" and isinstance(getattr(vtk, name, None), type):
            return getattr(vtk, name)
        if not isinstance(node.func, ast.Attribute):
            return None
        if node.func.attr in _BY_CLASS:
            named = [item.value for item in node.args if isinstance(item, ast.Constant) and isinstance(item.value, str)]
            return next((getattr(slicer, item) for item in named if hasattr(slicer, item)), None)
        owner = factsOf(ast.unparse(node.func.value)) or self.of(node.func.value)  # a class for its static methods
        return returnedBy(owner, node.func.attr) if isinstance(owner, ClassFacts) else None

    def _collect(self, tree: ast.AST, prefix: str, into: dict[str, object]) -> None:
        """Names that are always given an object of the same known class."""
        for node in ast.walk(tree):
            for target, value in _assigned(node):
                text = ast.unparse(target)
                if isinstance(target, ast.Attribute if prefix else ast.Name) and text.startswith(prefix):
                    kind = None if value is None else self.of(value)
                    into[text] = kind if text not in into or into[text] is kind else None


def _assigned(node: ast.AST) -> list[tuple[ast.AST, ast.AST | None]]:
    """The targets of an assignment with their values; None for a value that is not told."""
    if isinstance(node, ast.Assign):
        pairs = []
        for target in node.targets:
            values = node.value.elts if isinstance(node.value, ast.Tuple) else None
            if isinstance(target, ast.Tuple):
                given = values if values and len(values) == len(target.elts) else [None] * len(target.elts)
                pairs += zip(target.elts, given, strict=True)
            else:
                pairs.append((target, node.value))
        return pairs
    if isinstance(node, (ast.AnnAssign, ast.NamedExpr)):
        return [(node.target, node.value)]
    if isinstance(node, (ast.AugAssign, ast.For, ast.comprehension)):
        return [(target, None) for target in ast.walk(node.target)]
    if isinstance(node, ast.withitem) and node.optional_vars is not None:
        return [(node.optional_vars, None)]
    return []
