"""qMRMLSegmentEditorWidget: no painting, but the nodes, the current segment, effects and undo are real."""

from __future__ import annotations

import slicer
import slicer.util
import vtk
from PySide6 import QtCore, QtGui

from .Base import standIn
from .MrmlWidgets import qMRMLWidget
from .SegmentEditorView import SegmentEditorView

EFFECTS = (
    "Threshold", "Paint", "Draw", "Erase", "Level tracing", "Grow from seeds", "Fill between slices", "Margin",
    "Hollow", "Smoothing", "Scissors", "Islands", "Logical operators", "Mask volume",
)  # fmt: skip


class Effect(QtCore.QObject):
    """One effect: its name, and its parameters, which live in the segment editor node."""

    def __init__(self, editor, name):
        super().__init__(editor)
        self._editor, self._effectName = editor, name

    @property
    def name(self):
        return self._effectName

    def setParameter(self, name, value):
        self._editor.mrmlSegmentEditorNode().SetAttribute(f"{self._effectName}.{name}", str(value))

    def parameter(self, name):
        return self._editor.mrmlSegmentEditorNode().GetAttribute(f"{self._effectName}.{name}") or ""


class AutoCompleteEffect(Effect):
    """Offers a result in a node of its own, to which the segment editor node refers until it is taken or refused."""

    _role, _owner = "SegmentationResultPreview", "SegmentationResultPreviewOwnerEffect"

    def self(self):
        return self

    def onPreview(self):
        node = self._editor.mrmlSegmentEditorNode()
        preview = node.GetScene().AddNewNodeByClass("vtkMRMLSegmentationNode", "preview")
        node.SetNodeReferenceID(self._role, preview.GetID())
        node.SetAttribute(self._owner, self._effectName)

    def onCancel(self):
        node = self._editor.mrmlSegmentEditorNode()
        node.GetSegmentationNode().GetDisplayNode().SetOpacity(1.0)
        preview = node.GetNodeReference(self._role)
        node.SetNodeReferenceID(self._role, None)
        node.GetScene().RemoveNode(preview)


class qMRMLSegmentEditorWidget(standIn("slicer.qMRMLSegmentEditorWidget", qMRMLWidget)):
    """The segment editor, as far as its nodes go."""

    _isStandIn = True
    _defaults = {
        **dict.fromkeys(
            ("segmentationNodeSelectorVisible", "sourceVolumeNodeSelectorVisible", "maskingSectionVisible",
             "specifyGeometryButtonVisible", "show3DButtonVisible", "addRemoveSegmentButtonsVisible",
             "autoShowSourceVolumeNode", "switchToSegmentationsButtonVisible", "undoEnabled",
             "unorderedEffectsVisible", "jumpToSelectedSegmentEnabled"), True),
        "maximumNumberOfUndoStates": 10,
        "effectColumnCount": 2,
    }  # fmt: skip

    def __init__(self, parent=None):
        super().__init__(parent)
        self._node, self._tag, self._keys = None, None, []
        self._seen = {"segmentation": None, "volume": None, "segment": ""}
        self._order = list(EFFECTS)
        kinds = dict.fromkeys(("Grow from seeds", "Fill between slices"), AutoCompleteEffect)
        self._effects = {name: kinds.get(name, Effect)(self, name) for name in EFFECTS}
        self._seesViews = False
        self._history = slicer.vtkSegmentationHistory()
        self._savedStates = 0
        self._view = SegmentEditorView(self)
        self._segmentationTag = None
        self._wanted = {}

    # Nodes
    def mrmlSegmentEditorNode(self):
        return self._node

    def setMRMLSegmentEditorNode(self, node):
        if self._node is not None and self._tag is not None:
            self._node.RemoveObserver(self._tag)
        self._node = node
        self._tag = self._observe(node, vtk.vtkCommand.ModifiedEvent, self._fromNode) if node is not None else None
        self._fromNode()

    def segmentationNode(self):
        return self._node.GetSegmentationNode() if self._node else None

    def segmentationNodeID(self):
        return self.segmentationNode().GetID() if self.segmentationNode() else ""

    def segmentationNodeSelectorAddAttribute(self, nodeType, name, value=None):
        self._wanted[name] = value

    def setSegmentationNode(self, node):
        if node is not None and any(node.GetAttribute(name) != value for name, value in self._wanted.items()):
            raise ValueError(f"the segmentation selector does not offer {node.GetName()}")
        self._needNode().SetAndObserveSegmentationNode(node)
        self.hideLabelLayer()

    def setSegmentationNodeID(self, nodeId):
        self.setSegmentationNode(self.mrmlScene().GetNodeByID(nodeId))

    def sourceVolumeNode(self):
        return self._node.GetSourceVolumeNode() if self._node else None

    def sourceVolumeNodeID(self):
        return self.sourceVolumeNode().GetID() if self.sourceVolumeNode() else ""

    def setSourceVolumeNode(self, node):
        editorNode = self._needNode()
        segmentation = self.segmentationNode()
        if node is not None and segmentation is not None:
            segmentation.SetReferenceImageGeometryParameterFromVolumeNode(node)
        editorNode.SetAndObserveSourceVolumeNode(node)

    def setSourceVolumeNodeID(self, nodeId):
        self.setSourceVolumeNode(self.mrmlScene().GetNodeByID(nodeId))

    masterVolumeNode, masterVolumeNodeID = sourceVolumeNode, sourceVolumeNodeID
    setMasterVolumeNode, setMasterVolumeNodeID = setSourceVolumeNode, setSourceVolumeNodeID

    # Segments
    def currentSegmentID(self):
        return (self._node.GetSelectedSegmentID() or "") if self._node else ""

    def setCurrentSegmentID(self, segmentId):
        self._needNode().SetSelectedSegmentID(segmentId)

    def selectSegmentAtOffset(self, offset):
        ids = self._segmentIds()
        if self.currentSegmentID() in ids:
            self.setCurrentSegmentID(ids[min(max(ids.index(self.currentSegmentID()) + offset, 0), len(ids) - 1)])

    def selectNextSegment(self):
        self.selectSegmentAtOffset(1)

    def selectPreviousSegment(self):
        self.selectSegmentAtOffset(-1)

    # Effects
    def availableEffectNames(self):
        return tuple(self._effects)

    def effectNameOrder(self):
        return tuple(self._order)

    def setEffectNameOrder(self, names):
        self._order = list(names)
        self._view.fill()

    def effectCount(self):
        return len(self._effects)

    def effectByName(self, name):
        return self._effects.get(name)

    def effectByIndex(self, index):
        return list(self._effects.values())[index]

    def activeEffect(self):
        return self._effects.get(self._node.GetActiveEffectName() or "") if self._node else None

    def setActiveEffect(self, effect):
        self.setActiveEffectByName(effect.name if effect else "")

    def setActiveEffectByName(self, name):
        if self.segmentationNode() and self.sourceVolumeNode() or not name:
            self._needNode().SetActiveEffectName(name if name in self._effects else "")

    def hideLabelLayer(self):
        scene = self.mrmlScene()
        for index in range(scene.GetNumberOfNodesByClass("vtkMRMLSliceCompositeNode") if scene else 0):
            scene.GetNthNodeByClass(index, "vtkMRMLSliceCompositeNode").SetLabelVolumeID(None)

    # Undo
    def saveStateForUndo(self):
        if self.undoEnabled and self.segmentationNode():
            self._savedStates += 1
            self._history.SaveState()

    def undo(self):
        self._history.RestorePreviousState()

    def redo(self):
        self._history.RestoreNextState()

    def setupViewObservations(self):
        self._seesViews = True

    def removeViewObservations(self):
        self._seesViews = False

    # What needs views, and so does nothing here
    def jumpSlices(self):
        pass

    turnOffLightboxes = rotateSliceViewsToSegmentation = updateEffectList = jumpSlices

    def installKeyboardShortcuts(self, parent=None):
        """One of many keys, in the main window, as the real one does; a second call would make it ambiguous."""
        self._keys.append(QtGui.QShortcut(QtGui.QKeySequence("Space"), parent or slicer.util.mainWindow()))

    def uninstallKeyboardShortcuts(self):
        while self._keys:
            self._keys.pop().setParent(None)

    def setInteractionNode(self, node):
        pass

    def showSourceVolumeInSliceViewers(self, force=False, fit=False):
        pass

    def updateWidgetFromMRML(self):
        self._fromNode()

    def _needNode(self):
        if self._node is None:
            raise RuntimeError("the segment editor has no segment editor node: call setMRMLSegmentEditorNode first")
        return self._node

    def _segmentIds(self):
        node = self.segmentationNode()
        return list(node.GetSegmentation().GetSegmentIDs()) if node else []

    def _onScene(self):
        if self.mrmlScene() is None:
            self.setMRMLSegmentEditorNode(None)

    def _changed(self, name):
        self._history.SetMaximumNumberOfStates(self.maximumNumberOfUndoStates)
        self._view.fill()

    def _fromNode(self, *_):
        segmentation, volume = self.segmentationNode(), self.sourceVolumeNode()
        if segmentation is not self._seen["segmentation"]:
            self._seen["segmentation"] = segmentation
            self._history.SetSegmentation(segmentation.GetSegmentation() if segmentation else None)
            self._emit("segmentationNodeChanged(vtkMRMLSegmentationNode*)", segmentation)
        ids = self._segmentIds()
        if self._node is not None and ids and self.currentSegmentID() not in ids:
            self._node.SetSelectedSegmentID(ids[0])
            return
        if volume is not self._seen["volume"]:
            self._seen["volume"] = volume
            self._emit("sourceVolumeNodeChanged(vtkMRMLVolumeNode*)", volume)
        if self.currentSegmentID() != self._seen["segment"]:
            self._seen["segment"] = self.currentSegmentID()
            self._emit("currentSegmentIDChanged(QString)", self._seen["segment"])
        self._view.fill()
