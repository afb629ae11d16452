"""Makes qt.json, ctk.json and slicer.json from a full list of facts: python reduce.py FULL_classes.json

A class keeps what its bases in the same list do not have already.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
KINDS = ("signals", "slots", "attributes")
UNUSED = (
    "ctkConsole ctkCoordinatesWidget ctkErrorLogWidget ctkExpandableWidget ctkSettingsPanel ctkThumbnailLabel "
    "ctkTransferFunction ctkTreeComboBox ctkVTKChartView ctkVTKSliceView ctkWorkflow ctkCheckableHeaderView "
    "qMRMLColorLegendDisplayNodeWidget qMRMLColorTableView qMRMLDisplayNodeWidget qMRMLPlotView qMRMLPlotWidget "
    "qMRMLScreenShotDialog qMRMLSliceControllerWidget qMRMLSortFilterSubjectHierarchyProxyModel "
    "qMRMLSubjectHierarchyModel qMRMLTableView qMRMLTextWidget qMRMLTreeView qMRMLVolumeInfoWidget "
    "qMRMLVolumeThresholdWidget qMRMLWindowLevelWidget qSlicerMarkupsPlaceWidget qSlicerSimpleMarkupsWidget "
    "QSystemTrayIcon QPropertyAnimation"
).split()
NAMESPACES = ("slicer", "slicer.modules", "slicer.util")


def reduce(full: dict[str, dict]) -> dict[str, dict]:
    """The facts of the classes that the extension uses or may use, without what they inherit."""
    kept = {name: facts for name, facts in full.items() if name.split(".")[-1] not in UNUSED}
    by_class = {facts["class"]: facts for facts in kept.values() if "class" in facts}
    reduced = {}
    for name, facts in kept.items():
        if name in NAMESPACES:
            reduced[name] = {"attributes": _names(name, facts["attributes"])}
        elif facts.get("absent"):
            reduced[name] = {"absent": True}
        elif "error" in facts:
            reduced[name] = {"attributes": sorted(facts["attributes"])}
        else:
            reduced[name] = _own(facts, by_class)
    return reduced


def _names(namespace: str, names: list[str]) -> list[str]:
    # The MRML and VTK classes are asked of slicer-core itself.
    return sorted(name for name in names if namespace != "slicer" or not name.startswith("vtk"))


def _own(facts: dict, by_class: dict[str, dict]) -> dict:
    bases = [name for name in facts["inherits"] if name in by_class and name != facts["class"]]
    inherited = [by_class[name] for name in bases]
    own = {
        "class": facts["class"],
        "bases": sorted(bases),
        "properties": {
            name: kind
            for name, kind in facts["properties"].items()
            if not any(base["properties"].get(name) == kind for base in inherited)
        },
    }
    for kind in KINDS:
        own[kind] = sorted(set(facts[kind]).difference(*(base[kind] for base in inherited)))
    return own


def write(reduced: dict[str, dict]) -> None:
    """One file for each namespace, one line for each kind of fact."""
    for namespace in ("qt", "ctk", "slicer"):
        chosen = {name: facts for name, facts in reduced.items() if name.split(".")[0] == namespace}
        blocks = []
        for name, facts in sorted(chosen.items()):
            lines = ",\n".join(f'    "{kind}": {json.dumps(value)}' for kind, value in facts.items())
            blocks.append(f'  "{name}": {{\n{lines}\n  }}')
        (FOLDER / f"{namespace}.json").write_text("{\n" + ",\n".join(blocks) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    write(reduce(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
