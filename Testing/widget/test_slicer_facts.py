"""The panel's code and its .ui files name only what desktop Slicer has."""

from __future__ import annotations

import importlib.util
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from slicerharness.CodeScan import problemsOfCode
from slicerharness.Facts import FOLDER as FACTS
from slicerharness.Facts import factsOf
from slicerharness.UiLoader import problemsOfUi

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "MetaSSLSlicer"
FULL_FACTS = ROOT.parent / "shared" / "slicer-api" / "classes.json"

CODE = sorted([*MODULE.glob("*.py"), *(MODULE / "MetaSSLSlicerLib").rglob("*.py")])
UI_FILES = sorted((MODULE / "Resources" / "UI").glob("*.ui"))


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(MODULE)))
def test_code_names_only_what_slicer_has(path):
    assert problemsOfCode(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", UI_FILES, ids=lambda path: path.name)
def test_a_ui_file_names_only_what_slicer_has(path):
    assert problemsOfUi(ElementTree.parse(path).getroot()) == []


@pytest.mark.parametrize("path", UI_FILES, ids=lambda path: path.name)
def test_the_names_in_a_ui_file_are_unique(path):
    root = ElementTree.parse(path).getroot()
    names = [item.get("name") for kind in ("widget", "layout") for item in root.iter(kind)]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize(
    "code",
    [
        "b.connect('clickd()', f)",
        "b.connect('currentNodeChanged(vtkMRMLNode *)', f)",
        "b.disconnect('clicked( bool )', f)",
        "b.connect('clicked', f)",
        "qt.QLable()",
        "qt.QLabel.AlignNowhere",
        "qt.QAbstractItemView.NoSuchMode",
        "qt.Qt.AlignmentFlag.AlignLeft",
        "class A(qt.QObject): s = qt.Signal()",
        "ctk.ctkNothing()",
        "slicer.qMRMLExpandingWidget()",
        "slicer.qMRMLWidget.nothing",
        "slicer.util.nothing()",
        "slicer.app.nothing()",
        "isinstance(w, qt.QWidget)",
        "isinstance(w, (str, slicer.qMRMLWidget))",
        "qt.QDialogButtonBox(qt.QDialogButtonBox.Ok | qt.QDialogButtonBox.Cancel)",
        "_(f'{a} cases')",
        "_('{a} cases'.format(a=1))",
        "from PySide6 import QtWidgets",
        "table.fontMetrics().height()",
        "layouts = slicer.app.layoutManager(); layouts.nothing()",
        "slicer.util.mainWindow().nothing()",
        "table = qt.QTableView(); table.horizontalHeader().setNothing(1)",
        "qt.QColor('red').getRgb()",
        "qt.QPixmap(1, 1).toImage().nothing()",
        "qt.Qt.ColorScheme",
        "qt.QSvgRenderer()",
        "b = qt.QPushButton(); b.connect('valueChanged(int)', f)",
        "node = scene.AddNewNodeByClass('vtkMRMLModelNode'); node.SetNothing()",
        "vtk.vtkImageData().SetNothing()",
        "vtk.vtkNothing()",
        "slicer.vtkMRMLNothingNode()",
        "slicer.modules.nothing.logic()",
        "thing.setNothingAtAll()",
        "row = qt.QHBoxLayout()\nif row: f()",
        "f(1) if not slicer.util.mainWindow() else f(2)",
        "layouts = slicer.app.layoutManager(); layouts and f()",
    ],
)
def test_the_scan_finds(code):
    assert len(problemsOfCode(code)) >= 1


@pytest.mark.parametrize(
    "code",
    [
        "b.connect('clicked(bool)', f); signal.connect(f); signal.disconnect(f)",
        "p.connect('finished(int,QProcess::ExitStatus)', f)",
        "model.connect('rowsInserted(QModelIndex,int,int)', f)",
        "qt.QTimer.singleShot(0, f); qt.QFileDialog.getExistingDirectory(None, 'a')",
        "label.setAlignment(qt.Qt.AlignLeft | qt.Qt.AlignTop)",
        "qt.QAbstractItemView.SelectRows",
        "slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets",
        "slicer.util.loadUI(path); slicer.app.processEvents()",
        "isinstance(w, (str, int))",
        "_('{a} cases').format(a=1)",
        "layouts = slicer.app.layoutManager(); layouts.connect('layoutChanged(int)', f); layouts.sliceViewNames()",
        "table = qt.QTableView(); table.horizontalHeader().setStretchLastSection(True); table.font.setBold(True)",
        "bar = qt.QScrollArea().verticalScrollBar(); bar.setValue(bar.maximum)",
        "row = qt.QHBoxLayout()\nif row is not None and row.count(): f()",
        "node = scene.AddNewNodeByClass('vtkMRMLModelNode'); node.SetName('a'); vtk.vtkImageData().GetDimensions()",
    ],
)
def test_the_scan_lets_pass(code):
    assert problemsOfCode(code) == []


def test_the_scan_knows_the_children_of_the_ui_file(tmp_path):
    (tmp_path / "Some.ui").write_text(
        '<ui><widget class="QWidget" name="Some"><layout class="QVBoxLayout" name="someLayout"/>'
        '<widget class="QPushButton" name="train"/></widget></ui>',
        encoding="utf-8",
    )
    code = (
        "self.widget, self.ui = loadUi('Some')\n"
        "self.ui.train.text = 'x'\n"
        "self.ui.train.connect('clicked(bool)', f)\n"
        "self.ui.train.connect('valueChanged(int)', f)\n"
        "self.ui.train.setValue(3)\n"
        "self.ui.stop.setText('x')\n"
        "self.ui.someLayout.addWidget(w)\n"
    )
    lines = [problem.split(":")[0] for problem in problemsOfCode(code, tmp_path)]
    assert lines == ["line 4", "line 5", "line 6", "line 7"]


def test_the_facts_resolve_inheritance():
    facts = factsOf("ctk.ctkCollapsibleButton")
    assert {"collapsed", "checked", "enabled"} <= set(facts.properties)
    assert {"contentsCollapsed(bool)", "clicked(bool)", "destroyed()"} <= facts.signals
    assert factsOf("slicer.qMRMLExpandingWidget") is None


def test_the_facts_are_small_and_as_the_full_list_has_them():
    assert sum(path.stat().st_size for path in FACTS.glob("*.json")) < 300_000
    if not FULL_FACTS.is_file():
        pytest.skip("the full list of facts is not here")
    spec = importlib.util.spec_from_file_location("reduceFacts", FACTS / "reduce.py")
    reduceFacts = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reduceFacts)
    full = json.loads(FULL_FACTS.read_text(encoding="utf-8"))
    reduced = {}
    for namespace in ("qt", "ctk", "slicer"):
        reduced.update(json.loads((FACTS / f"{namespace}.json").read_text(encoding="utf-8")))
    assert reduced == reduceFacts.reduce(full)
    for name in reduced:
        facts = factsOf(name)
        if facts is not None and facts.complete:
            assert facts.properties == full[name]["properties"]
            assert facts.signals == set(full[name]["signals"])
            assert facts.slots == set(full[name]["slots"])
            extra = facts.attributes ^ set(full[name]["attributes"])
            # PythonQt hands no nested types down, and a slot hides a base's method of the same name.
            assert all(other[0].isupper() or other in facts.slotNames for other in extra)
