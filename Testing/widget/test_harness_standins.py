"""The stand-ins of CTK's, MRML's and Slicer's widgets do what the extension relies on."""

from __future__ import annotations

from pathlib import Path

import ctk
import pytest
import qt
import slicer

SAMPLE = Path(__file__).resolve().parents[1] / "harness" / "Sample.ui"


@pytest.fixture
def sample(harness):
    """A panel loaded from a .ui, and its children."""
    widget = slicer.util.loadUI(str(SAMPLE))
    widget.setMRMLScene(slicer.mrmlScene)
    yield widget, slicer.util.childWidgetVariables(widget)
    widget.setMRMLScene(None)


@pytest.fixture
def editing(sample):
    """The sample's segment editor with a volume and a segmentation of two segments."""
    import numpy as np

    ui = sample[1]
    volume = slicer.util.addVolumeFromArray(np.zeros((4, 5, 6), np.int16), name="Brain")
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Labels")
    for segmentId, name in (("Label_1", "Front"), ("Label_2", "Back")):
        segmentation.GetSegmentation().AddEmptySegment(segmentId, name)
    editorNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
    ui.editor.setMRMLSegmentEditorNode(editorNode)
    ui.editor.setSegmentationNode(segmentation)
    ui.editor.setSourceVolumeNode(volume)
    return ui.editor, segmentation, volume


def test_a_ui_file_is_loaded_and_its_text_is_drawn(harness, sample):
    widget, ui = sample
    path = harness.grab(widget, "harness_sample")
    dark = _darkPixels(qt.QImage(str(path)), ui.train, widget)
    ui.train.text = ""
    assert dark > _darkPixels(qt.QImage(str(harness.grab(widget, "harness_sample_no_text"))), ui.train, widget) + 20


def test_a_ui_file_with_an_unknown_name_is_refused(harness, tmp_path):
    good = SAMPLE.read_text(encoding="utf-8")
    for change, complaint in (
        (("ctkSliderWidget", "ctkSlideWidget"), "no widget class 'ctkSlideWidget'"),
        (('"noneEnabled"', '"noneEnable"'), "has no property 'noneEnable'"),
        (("setMRMLScene(vtkMRMLScene*)", "setScene(vtkMRMLScene*)"), "has no slot"),
    ):
        path = tmp_path / "Bad.ui"
        path.write_text(good.replace(*change), encoding="utf-8")
        with pytest.raises(RuntimeError, match=complaint):
            slicer.util.loadUI(str(path))


def test_a_folded_section_hides_its_contents(harness, sample):
    widget, ui = sample
    widget.show()
    seen = []
    ui.setup.connect("contentsCollapsed(bool)", seen.append)
    assert ui.setup.collapsed and not ui.inSetup.isVisible()
    ui.setup.collapsed = False
    assert ui.inSetup.isVisible()
    ui.inSetup.hide()
    ui.setup.collapsed = True
    ui.setup.collapsed = False
    assert not ui.inSetup.isVisible()
    assert seen == [False, True, False]


def test_a_node_selector_follows_the_scene(harness, sample):
    ui = sample[1]
    seen = []
    ui.image.connect("currentNodeChanged(vtkMRMLNode*)", seen.append)
    assert ui.image.currentNode() is None
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Brain")
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", "Surface")
    assert ui.image.nodeCount() == 1
    ui.image.setCurrentNode(volume)
    slicer.mrmlScene.RemoveNode(volume)
    assert seen == [volume, None]


def test_numbers_keep_to_their_bounds(harness, sample):
    slider = sample[1].opacity
    seen = []
    slider.connect("valueChanged(double)", seen.append)
    slider.value = 3
    slider.setValue(0.25)
    assert (slider.value, seen) == (0.25, [1.0, 0.25])


def test_paths_and_colours_tell_their_changes(harness):
    path, folder, color = ctk.ctkPathLineEdit(), ctk.ctkDirectoryButton(), ctk.ctkColorPickerButton()
    seen = []
    path.currentPathChanged.connect(seen.append)
    folder.directoryChanged.connect(seen.append)
    color.colorChanged.connect(lambda value: seen.append(value.name()))
    path.currentPath = "/a"
    folder.directory = "/b"
    color.color = qt.QColor(255, 0, 0)
    assert seen == ["/a", "/b", "#ff0000"]


def test_the_segment_editor_keeps_its_state_in_its_node(editing):
    editor, segmentation, volume = editing
    assert (editor.segmentationNode(), editor.sourceVolumeNode()) == (segmentation, volume)
    assert editor.currentSegmentID() == "Label_1"
    seen = []
    editor.connect("currentSegmentIDChanged(QString)", seen.append)
    editor.selectNextSegment()
    editor.mrmlSegmentEditorNode().SetSelectedSegmentID("Label_1")
    assert seen == ["Label_2", "Label_1"]
    editor.setActiveEffectByName("Paint")
    assert editor.activeEffect().name == "Paint"
    editor.activeEffect().setParameter("BrushSphere", 1)
    assert editor.activeEffect().parameter("BrushSphere") == "1"
    editor.setActiveEffectByName("")
    assert editor.activeEffect() is None


def test_the_segment_editor_takes_edits_back(editing):
    editor, segmentation, volume = editing
    array = slicer.util.arrayFromVolume(volume).astype("uint8")
    array[1:3, 1:3, 1:3] = 1
    editor.saveStateForUndo()
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, segmentation, "Label_1", volume)
    assert _voxels(segmentation, volume) == 8
    editor.undo()
    assert _voxels(segmentation, volume) == 0
    editor.redo()
    assert _voxels(segmentation, volume) == 8


def test_the_segment_editor_lives_through_a_closed_scene(harness, editing):
    editor = editing[0]
    slicer.mrmlScene.Clear(0)
    harness.process(5)
    editor.setMRMLSegmentEditorNode(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode"))
    assert editor.segmentationNode() is None and editor.currentSegmentID() == ""


def test_the_application_and_the_main_window_are_there(harness):
    assert slicer.app.testingEnabled() and slicer.app.layoutManager() is None
    assert slicer.app.applicationLogic() is harness.services.applicationLogic
    assert "PATH" in slicer.util.startupEnvironment()
    assert slicer.app.majorVersion == 5
    seen = []
    shortcut = qt.QShortcut(qt.QKeySequence("Ctrl+N"), slicer.util.mainWindow())
    shortcut.connect("activated()", lambda: seen.append(1))
    shortcut.activated()
    assert seen == [1]
    slicer.util.showStatusMessage("Saved")
    assert slicer.util.mainWindow().statusBar().currentMessage() == "Saved"


def test_a_scripted_module_runs(harness, tmp_path):
    import importlib.util

    path = tmp_path / "Tiny.py"
    path.write_text(
        "import slicer\n"
        "from slicer.ScriptedLoadableModule import *\n"
        "from slicer.i18n import tr as _\n"
        "from slicer.util import VTKObservationMixin\n"
        "class TinyWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):\n"
        "    def __init__(self, parent=None):\n"
        "        ScriptedLoadableModuleWidget.__init__(self, parent)\n"
        "        VTKObservationMixin.__init__(self)\n"
        "    def setup(self):\n"
        "        ScriptedLoadableModuleWidget.setup(self)\n"
        "        self.closed = 0\n"
        "    def watch(self):\n"
        "        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onClosed)\n"
        "    def onClosed(self, caller, event):\n"
        "        self.closed += 1\n"
        "    def cleanup(self):\n"
        "        self.removeObservers()\n",
        encoding="utf-8",
    )
    harness.registerModule(path)
    spec = importlib.util.spec_from_file_location("Tiny", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    widget = module.TinyWidget()
    assert widget.resourcePath("UI/Tiny.ui") == str(tmp_path / "Resources/UI/Tiny.ui")
    widget.watch()
    slicer.mrmlScene.Clear(0)
    widget.cleanup()
    assert widget.closed == 1


def _voxels(segmentation, volume) -> int:
    array = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, "Label_1", volume)
    return 0 if array is None else int(array.sum())


def _darkPixels(image, widget, top) -> int:
    corner = widget.mapTo(top, qt.QPoint(0, 0))
    places = ((corner.x() + x, corner.y() + y) for x in range(widget.width) for y in range(widget.height))
    return sum(image.pixelColor(*place).lightness() < 100 for place in places)
