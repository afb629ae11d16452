"""Scenes, layouts, two projects in turn, several channels: nothing of ours is left, and nothing is lost."""

from __future__ import annotations

import time

from desktop_slicer import DesktopSlicer
from journey import Journey
from journeys.opening import (
    ANNOTATE,
    REVIEW,
    SESSION,
    drawnVoxels,
    makeProject,
    openCase,
    openModule,
    openProject,
    waitForTasks,
)

_SMALL = "(20, 60, 70), (1.2, 1.0, 2.5)"
_OURS = """
nodes = slicer.mrmlScene.GetNodes()
answer = sorted(
    node.GetClassName() + " " + node.GetName()
    for node in (nodes.GetItemAsObject(index) for index in range(nodes.GetNumberOfItems()))
    if node.GetAttribute("MetaSSL")
)
"""
_SHOWN = """
composites = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
shown = {node.GetBackgroundVolumeID() for node in composites}
bounds = [0.0] * 6
panel().session.case.nodes.volumeNode.GetRASBounds(bounds)
middles = [[view.GetSliceToRAS().GetElement(row, 3) for row in range(3)]
           for view in slicer.util.getNodesByClass("vtkMRMLSliceNode")]
within = all(low <= part <= high for middle in middles for low, part, high in zip(bounds[::2], middle, bounds[1::2]))
answer = within and shown == {panel().session.case.nodes.volumeNode.GetID()}
"""


class Scenes(Journey):
    """A tilted project of two channels."""

    title = "Scenes, projects and channels"

    def stepOpen(self, slicer: DesktopSlicer) -> None:
        """A project of two channels on a tilted grid opens"""
        openModule(slicer)
        self._clean = slicer.ask(_OURS)
        self._project = makeProject(slicer, "two_channels", f"{_SMALL}, channels=('T1', 'T2'), tilt=True")
        openProject(slicer, self._project)
        openCase(slicer, "case_0")
        assert slicer.ask(_SHOWN)

    def stepEdit(self, slicer: DesktopSlicer) -> str:
        """Its prediction is corrected"""
        slicer.wait(f"{REVIEW}.navigator.places", what="the places")
        slicer.key("n")
        slicer.key("c")
        slicer.wait(f"{SESSION}.case.isEditing", 10)
        slicer.ask(
            f"""
import numpy as np
case = {SESSION}.case
mask = np.zeros(case.data.geometry.shape_zyx, np.uint8)
mask[5:9, 10:20, 10:20] = 1
segment = case.nodes.annotationNode.GetSegmentation().GetNthSegmentID(0)
slicer.util.updateSegmentBinaryLabelmapFromArray(mask, case.nodes.annotationNode, segment, case.nodes.volumeNode)
"""
        )
        slicer.wait(f"{SESSION}.case.isModified", 10)
        self._drawn = drawnVoxels(slicer)
        return f"{self._drawn} voxels"

    def stepSaveScene(self, slicer: DesktopSlicer) -> None:
        """The scene is saved, and loaded again: the case is shown, with its unsaved work"""
        scene = str(slicer.folder / "scene.mrb")
        slicer.ask(f"assert slicer.util.saveScene({scene!r})")
        slicer.ask(f"slicer.util.loadScene({scene!r})")
        slicer.wait(f"{SESSION}.case is not None and {SESSION}.case.isEditing", 30, "the case in work")
        waitForTasks(slicer)
        assert drawnVoxels(slicer) == self._drawn
        assert slicer.ask(_SHOWN), "the slice views do not show the case"
        slicer.wait(f"{ANNOTATE}.editor.segmentationNode() is not None", 5, "the editor to show the case")

    def stepLayouts(self, slicer: DesktopSlicer) -> None:
        """Another layout shows the case, too"""
        for layout in ("SlicerLayoutFourOverFourView", "SlicerLayoutOneUpRedSliceView", "SlicerLayoutFourUpView"):
            slicer.ask(f"slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.{layout})")
            time.sleep(0.5)
            slicer.wait("not panel()._settleTimer.active", 20, "the views to settle")
            assert slicer.ask(_SHOWN), layout

    def stepOtherModule(self, slicer: DesktopSlicer) -> None:
        """To another module and back"""
        for module in ("Data", "SegmentEditor", "MetaSSLSlicer"):
            slicer.ask(f"slicer.util.selectModule({module!r})")
            time.sleep(0.5)
        assert slicer.value(f"{SESSION}.case.isEditing")
        assert drawnVoxels(slicer) == self._drawn

    def stepReload(self, slicer: DesktopSlicer) -> None:
        """The module is reloaded with a case in work"""
        slicer.ask("slicer.util.getModuleWidget('MetaSSLSlicer').onReload()")
        slicer.wait(f"{SESSION}.case is not None and {SESSION}.case.isEditing", 30, "the case in work")
        assert drawnVoxels(slicer) == self._drawn

    def stepOtherProject(self, slicer: DesktopSlicer) -> None:
        """Another project, and the first again: the unsaved work is back"""
        other = makeProject(slicer, "one_channel", _SMALL)
        openProject(slicer, other)
        openCase(slicer, "case_1")
        openProject(slicer, self._project)
        openCase(slicer, "case_0")
        assert drawnVoxels(slicer) == self._drawn

    def stepNewRound(self, slicer: DesktopSlicer) -> None:
        """A round that ends meanwhile is told, and leaves the label in work alone"""
        slicer.ask(
            f"""
session = {SESSION}
data = session.case.data
made_up.newRound(session.project, data.geometry, data.geometry.shape_zyx, shift=3)
session.roundsChanged.emit()
session.casesChanged.emit(None)
"""
        )
        slicer.wait("'Round 2' in panel().banner.label.text", 10, "the line about the new round")
        assert drawnVoxels(slicer) == self._drawn
        slicer.click("panel().banner.actionButton", scroll=True)
        slicer.wait(f"{SESSION}.case.data.prediction.round == 2", 20, "the prediction of round 2")
        waitForTasks(slicer)
        assert drawnVoxels(slicer) == self._drawn

    def stepDelete(self, slicer: DesktopSlicer) -> None:
        """The segmentation is deleted in the data tree: its strokes come back with the case"""
        slicer.ask(
            f"""
tree = slicer.mrmlScene.GetSubjectHierarchyNode()
tree.RemoveItem(tree.GetItemByDataNode({SESSION}.case.nodes.annotationNode))
"""
        )
        slicer.wait(f"{SESSION}.case is None", 10, "the case to be closed")
        openCase(slicer, "case_0")
        assert drawnVoxels(slicer) == self._drawn

    def stepClose(self, slicer: DesktopSlicer) -> None:
        """The scene is closed with an effect at work: nothing of ours is left in it, and Slicer lives on"""
        slicer.ask(f"{ANNOTATE}.editor.setActiveEffectByName('Paint')")
        slicer.moveTo(slicer.value("spot(sliceView('Red'))"))
        slicer.ask("slicer.mrmlScene.Clear(0)")
        waitForTasks(slicer)
        left = slicer.ask(_OURS)
        assert left == self._clean, left

    def stepQuit(self, slicer: DesktopSlicer) -> None:
        """Slicer ends without a crash"""
        slicer.quit()
