"""qMRMLNodeComboBox on a real scene."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets

from .Base import rowLayout, standIn


class qMRMLNodeComboBox(standIn("slicer.qMRMLNodeComboBox")):
    """Chooses one of the scene's nodes of some classes."""

    _isStandIn = True
    _defaults = {
        "showChildNodeTypes": True,
        "addEnabled": True,
        "removeEnabled": True,
        "selectNodeUponCreation": True,
        "noneDisplay": "None",
    }

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene, self._tags, self._last, self._wanted = None, [], "", {}
        self._combo = QtWidgets.QComboBox(self)
        self._combo.setMinimumContentsLength(8)
        self._combo.setSizeAdjustPolicy(QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        rowLayout(self, self._combo)
        self._combo.connect("currentIndexChanged(int)", self._tell)
        self._combo.connect("activated(int)", self._onActivated)
        self.setEnabled(False)

    def mrmlScene(self):
        return self._scene

    def setMRMLScene(self, scene):
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._scene = scene
        self._tags = []
        if scene is not None:
            events = (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndBatchProcessEvent, scene.EndCloseEvent)
            self._tags = [self._observe(scene, event, self._fill) for event in events]
        self.setEnabled(scene is not None)
        self._fill()

    def addAttribute(self, nodeType, name, value=None):
        self._wanted[(nodeType, name)] = value
        self._fill()

    def removeAttribute(self, nodeType, name):
        self._wanted.pop((nodeType, name), None)
        self._fill()

    def currentNode(self):
        return self._scene.GetNodeByID(self._id()) if self._scene and self._id() else None

    def setCurrentNode(self, node):
        self._set_currentNodeID(node if isinstance(node, str) else (node.GetID() if node else ""))

    def setCurrentNodeID(self, nodeId):
        self._set_currentNodeID(nodeId)

    def setCurrentNodeIndex(self, index):
        self._combo.setCurrentIndex(index + (1 if self.noneEnabled else 0))

    def nodeCount(self):
        return self._combo.count - (1 if self.noneEnabled else 0)

    def nodeFromIndex(self, index):
        return self._scene.GetNodeByID(self._combo.itemData(index + (1 if self.noneEnabled else 0)))

    def addNode(self, nodeType=None):
        node = self._scene.AddNewNodeByClass(nodeType or self.nodeTypes[0], self.baseName)
        self._fill()
        if self.selectNodeUponCreation:
            self.setCurrentNode(node)
        for signal in ("nodeAdded", "nodeAddedByUser"):
            self._emit(f"{signal}(vtkMRMLNode*)", node)
        return node

    def removeCurrentNode(self):
        node = self.currentNode()
        self._emit("nodeAboutToBeRemoved(vtkMRMLNode*)", node)
        self._scene.RemoveNode(node)

    def _id(self):
        return self._combo.currentData or ""

    _get_currentNodeID = _get_currentNodeId = _id

    def _set_currentNodeID(self, nodeId):
        index = self._combo.findData(nodeId or "")
        self._combo.setCurrentIndex(index if index >= 0 else (0 if self.noneEnabled else -1))

    _set_currentNodeId = _set_currentNodeID

    def _changed(self, name):
        self._fill()

    def _accepted(self) -> list:
        """The nodes of the scene to choose from. The scene is asked for each type: it holds many other nodes."""
        showHidden, hidden, exact = self.showHidden, self.hideChildNodeTypes, not self.showChildNodeTypes
        found = []
        for nodeType in self.nodeTypes:
            nodes = self._scene.GetNodesByClass(nodeType)
            nodes.UnRegister(None)
            for node in (nodes.GetItemAsObject(index) for index in range(nodes.GetNumberOfItems())):
                fits = node.GetClassName() == nodeType or not exact
                if fits and (showHidden or not node.GetHideFromEditors()) and self._hasWantedAttributes(node):
                    if not any(node.IsA(other) for other in hidden):
                        found.append(node)
        return found

    def _hasWantedAttributes(self, node) -> bool:
        for (nodeType, name), value in self._wanted.items():
            has = node.GetAttribute(name)
            if node.IsA(nodeType) and (has is None if value is None else has != value):
                return False
        return True

    def _fill(self, *_):
        if self._scene is not None and self._scene.IsBatchProcessing():
            return
        current = self._id()
        blocker = QtCore.QSignalBlocker(self._combo)
        self._combo.clear()
        if self.noneEnabled:
            self._combo.addItem(self.noneDisplay, "")
        for node in self._accepted() if self._scene else ():
            self._combo.addItem(node.GetName(), node.GetID())
        found = self._combo.findData(current) if current else -1
        self._combo.setCurrentIndex(found if found >= 0 else (0 if self._combo.count else -1))
        del blocker
        self._tell()

    def _onActivated(self, *_):
        self._emit("nodeActivated(vtkMRMLNode*)", self.currentNode())

    def _tell(self, *_):
        if self._id() == self._last:
            return
        self._last = self._id()
        node = self.currentNode()
        self._emit("currentNodeChanged(vtkMRMLNode*)", node)
        self._emit("currentNodeChanged(bool)", node is not None)
        self._emit("currentNodeIDChanged(QString)", self._last)
