"""Stand-ins of the widgets that no package has, by module: `classes()` lists all of them."""

from __future__ import annotations

from PySide6 import QtWidgets

from ..Facts import allFacts, factsOf
from ..StandIn import standIn
from . import CtkCollapsible, CtkNumbers, CtkPaths, CtkSmall, MrmlWidgets, NodeComboBox, SegmentEditor, Terminology

_MODULES = (CtkCollapsible, CtkNumbers, CtkPaths, CtkSmall, MrmlWidgets, NodeComboBox, SegmentEditor, Terminology)


def classes() -> dict[str, type]:
    """Full name, for example "ctk.ctkSearchBox", -> class. Those without one of their own are a plain frame."""
    written = {
        name: cls
        for module in _MODULES
        for name, cls in vars(module).items()
        if isinstance(cls, type) and cls.__module__ == module.__name__ and not name.startswith("_")
    }
    found = {}
    for full in allFacts():
        namespace, _, name = full.partition(".")
        facts = factsOf(full)
        if facts is None or namespace == "qt" or not name.startswith(("ctk", "qMRML", "qSlicer")):
            continue
        found[full] = written.get(name) or _plain(full, name)
    return found


def _plain(full: str, name: str) -> type:
    return type(QtWidgets.QWidget)(name, (standIn(full),), {"_isStandIn": True})
