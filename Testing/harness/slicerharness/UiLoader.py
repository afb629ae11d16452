"""qt.QUiLoader that knows the stand-ins and refuses what the real classes lack."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from PySide6 import QtCore, QtUiTools, QtWidgets
from PySide6.QtCore import QObject

from . import NativeMeta, PythonQt, Signals, SlotErrors
from .Facts import factsOfClass

# What Designer writes besides classes and their properties.
_LINE_PROPERTIES = ("orientation",)
_LAYOUT_PROPERTIES = frozenset(
    "leftMargin topMargin rightMargin bottomMargin margin spacing horizontalSpacing verticalSpacing sizeConstraint "
    "fieldGrowthPolicy rowWrapPolicy labelAlignment formAlignment".split()
)


def problemsOfUi(root: ElementTree.Element) -> list[str]:
    """What desktop Slicer would not know in this .ui: classes, properties, signals and slots."""
    problems = []
    classOf = {}
    for widget in root.iter("widget"):
        cls, name = widget.get("class"), widget.get("name")
        classOf[name] = cls
        if not _classExists(cls):
            problems.append(f"{name}: no widget class '{cls}'")
            continue
        for item in widget.findall("property"):
            if item.get("stdset") != "0" and not _hasProperty(cls, item.get("name")):
                problems.append(f"{name}: {cls} has no property '{item.get('name')}'")
    for layout in root.iter("layout"):
        for item in layout.findall("property"):
            if item.get("name") not in _LAYOUT_PROPERTIES:
                problems.append(f"{layout.get('name')}: no layout property '{item.get('name')}'")
    for item in root.iter("connection"):
        parts = {child.tag: child.text for child in item}
        for end, member, kind in (("sender", "signal", "signals"), ("receiver", "slot", "slots")):
            facts = factsOfClass(classOf.get(parts[end], ""))
            if parts[end] not in classOf:
                problems.append(f"a connection names '{parts[end]}', which is not there")
            elif facts is not None and facts.complete and parts[member] not in getattr(facts, kind):
                problems.append(f"{parts[end]}: {facts.className} has no {member} '{parts[member]}'")
    return problems


def _classExists(cls: str) -> bool:
    return cls == "Line" or factsOfClass(cls) is not None or hasattr(QtWidgets, cls)


def _hasProperty(cls: str, name: str) -> bool:
    facts = factsOfClass(cls)
    if facts is not None and facts.complete:
        return name in facts.properties
    if cls == "Line":
        return name in _LINE_PROPERTIES or _hasProperty("QFrame", name)
    return NativeMeta.hasProperty(getattr(QtWidgets, cls), name)


def makeLoader(standIns: dict[str, type]) -> type:
    """The class that stands for qt.QUiLoader."""

    registrar = QtUiTools.QUiLoader()  # what one is told all know, those of later, too; to tell each takes long
    for cls in standIns.values():
        if issubclass(cls, QtWidgets.QWidget):
            registrar.registerCustomWidget(cls)

    class QUiLoader(QtUiTools.QUiLoader):
        def load(self, file, parent=None):
            path = Path(file.fileName())
            root = ElementTree.parse(path).getroot()
            problems = problemsOfUi(root)
            if problems:
                raise RuntimeError(f"{path.name}: " + "; ".join(problems))
            # Neither stand-ins' slots nor their enums can be reached by uic.
            connections = [{part.tag: part.text for part in item} for item in root.iter("connection")]
            for section in root.findall("connections"):
                root.remove(section)
            enums = _takeEnums(root)
            widget = _loadXml(super().load, root, parent)
            if widget is None:
                raise RuntimeError(f"{path.name}: {self.errorString()}")
            for name, item, value in enums:
                _find(widget, name).setProperty(item, value)
            for folding in widget.findChildren(QtWidgets.QWidget):
                if hasattr(folding, "_showContents"):
                    folding._showContents()
            for connection in connections:
                sender, receiver = _find(widget, connection["sender"]), _find(widget, connection["receiver"])
                Signals.connect(
                    sender, PythonQt.factsOfType(type(sender)), connection["signal"], receiver, connection["slot"]
                )
            return widget

    return QUiLoader


def _loadXml(load, root: ElementTree.Element, parent):
    buffer = QtCore.QBuffer()
    buffer.setData(ElementTree.tostring(root))
    buffer.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
    PythonQt.Loading.active = True
    try:
        return load(buffer, parent)
    finally:
        PythonQt.Loading.active = False
        SlotErrors.raiseFirst()


def _find(widget, name: str):
    return widget if widget.objectName == name else widget.findChild(QObject, name)


def _takeEnums(root: ElementTree.Element) -> list[tuple[str, str, int]]:
    """Take the enum properties that only a stand-in has out of the document: [(widget, property, value)]."""
    taken = []
    for widget in root.iter("widget"):
        cls = widget.get("class")
        if not cls.startswith(("ctk", "qMRML", "qSlicer")):
            continue
        for item in list(widget.findall("property")):
            text = item.findtext("enum") or item.findtext("set")
            known = NativeMeta.hasProperty(QtWidgets.QWidget, item.get("name"))
            if text and not known:
                widget.remove(item)
                taken.append((widget.get("name"), item.get("name"), _number(cls, text)))
    return taken


def _number(cls: str, text: str) -> int:
    import ctk
    import slicer

    holder = getattr(ctk, cls, None) or getattr(slicer, cls)
    total = 0
    for part in text.split("|"):
        constant = getattr(holder, part.split("::")[-1], 0)
        total |= int(getattr(constant, "value", constant))
    return total
