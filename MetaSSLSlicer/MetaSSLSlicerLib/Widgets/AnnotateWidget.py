"""Slicer's segment editor on the open case, and saving what was drawn."""

from __future__ import annotations

from datetime import datetime
from functools import partial

import qt
import slicer

from ..Logic.Case.PartialAnnotation import annotatedSlices, insideRoi
from ..Logic.Case.Session import Session
from ..Logic.Scene.OurNodes import ATTRIBUTE
from ..Signal import Signal
from ..Translation import _
from .Review.ShiftControl import ShiftControl
from .Section import Section, loadUi, onClick
from .Shortcuts import withKey

_WHOLE, _SLICES, _BOX = range(3)
_EDITOR_NODE = "MetaSSLSegmentEditor"
_UNDO_STATES = 10
_MOST_ROWS, _LEAST_ROW = 4, 20  # of the table of segments: how many, and how high each
_PREVIEW, _PREVIEW_OWNER = "SegmentationResultPreview", "SegmentationResultPreviewOwnerEffect"  # as Slicer names them


class AnnotateWidget(Section):
    """`labelKept` is emitted with the case's id when its label has only to be written, so that the panel can go on."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.widget, self.ui = loadUi("AnnotateWidget")
        self.labelKept = Signal()
        self.editorBound = Signal()
        """() the editor shows another segmentation; it then takes the label layer out of all slice views."""
        self._isEntered = self._isAwake = False
        self._node = None
        self.editor = slicer.qMRMLSegmentEditorWidget()
        self.editor.setMaximumNumberOfUndoStates(_UNDO_STATES)
        self.editor.setSegmentationNodeSelectorVisible(False)
        self.editor.setSourceVolumeNodeSelectorVisible(False)
        self.editor.setSpecifyGeometryButtonVisible(False)
        self.editor.setSwitchToSegmentationsButtonVisible(False)
        self.editor.setAddRemoveSegmentButtonsVisible(False)
        self.editor.setAutoShowSourceVolumeNode(False)
        # the editor chooses a segmentation by itself when it can: let it be none but ours
        self.editor.segmentationNodeSelectorAddAttribute("vtkMRMLSegmentationNode", ATTRIBUTE, "annotation")
        self.editor.setMRMLScene(session.services.scene)
        self.ui.editorWidget.layout().addWidget(self.editor)
        masking = self.editor.findChild("QWidget", "MaskingGroupBox")
        if masking is not None:
            masking.collapsed = True
        self.shift = self.addPart(ShiftControl(self.ui.shiftPlaceholder, session, self.editor))
        self.widget.setMRMLScene(session.services.scene)
        for text in (_("Whole image annotated"), _("Only slices that I drew on"), _("Only inside a box")):
            self.ui.scopeCombo.addItem(text)
        self.ui.saveButton.text = withKey(_("Save label"), "saveLabel")
        self.ui.roiSelector.connect("nodeAddedByUser(vtkMRMLNode*)", self._fitRoi)
        self.ui.scopeCombo.connect("currentIndexChanged(int)", lambda _index: self.refresh())
        onClick(
            (self.ui.saveButton, self.save),
            (self.ui.discardButton, session.writes.discardEdits),
            (self.ui.scratchButton, lambda: session.case.startFromScratch()),
        )
        self.listen(
            (session.caseOpened, self._onCaseOpened),
            (session.caseAboutToClose, self._releaseEditor),
            (session.caseChanged, self.refresh),
            (session.structuresChanged, self._onStructuresChanged),
            (session.sceneLoaded, self.refresh),  # a scene may hold this editor's node, naming no segmentation
        )
        self.refresh()

    def cleanup(self) -> None:
        self.exit()
        super().cleanup()
        self._releaseEditor()
        self.editor.setMRMLScene(None)
        if self._node is not None and self._session.services.scene.IsNodePresent(self._node):
            self._session.services.scene.RemoveNode(self._node)

    def enter(self) -> None:
        """The module is shown: the editor's effects work, and its keys while it has something to edit."""
        self._isEntered = True
        self._wake(self._bound() is not None)

    def exit(self) -> None:
        """Another module is shown: no effect stays active, and no key is ours."""
        if not self._isEntered:
            return
        self._isEntered = False
        self._stopEffect()
        self._wake(False)

    def save(self) -> None:
        case, scope = self._session.case, self.ui.scopeCombo.currentIndex
        if case is None or not case.isEditing:
            return
        box = self.ui.roiSelector.currentNode()
        if scope == _BOX and (box is None or min(box.GetSize()) <= 0):
            self._session.say("warning", _("Choose the box that you annotated, or make one in the list."))
            return
        options = {"restrict": self._restriction(scope)} if scope != _WHOLE else {}
        kept, done = partial(self.labelKept.emit, case.id), partial(self._onSaved, case.id)
        self._session.writes.saveLabel(kept=kept, done=done, **options)

    def refresh(self, *_args: object) -> None:
        case, ui = self._session.case, self.ui
        self.widget.setVisible(case is not None)
        if case is None:
            return
        self._bindEditor()
        editing = case.isEditing
        ui.restoredFrame.setVisible(case.isRestored)
        if case.isRestored:
            ui.restoredLabel.text = self._restoredText()
        ui.beginWidget.setVisible(not editing)
        ui.editorWidget.setVisible(editing)
        ui.saveWidget.setVisible(editing)
        ui.roiWidget.setVisible(ui.scopeCombo.currentIndex == _BOX)
        if editing:
            _fitSegments(self.editor)

    def _restoredText(self) -> str:
        when = self._session.case.data.autosaveTime
        if when is None:
            return _("This is your unsaved work.")
        return _("This is your unsaved work of {time}.").format(time=f"{datetime.fromtimestamp(when):%Y-%m-%d %H:%M}")

    def _restriction(self, scope: int):
        if scope == _SLICES:
            return lambda array: annotatedSlices(array)[0]
        # what of the ROI is needed is read here: the label is made in a thread, which may not touch MRML
        return insideRoi(self._session.case.data.geometry, self.ui.roiSelector.currentNode())

    def _onSaved(self, caseId: str) -> None:
        self._session.say("info", _("The label of {case} is saved.").format(case=caseId))

    def _onStructuresChanged(self, _former: object) -> None:
        """Begin anew with the segmentation: what can be undone is from before it had the new segments."""
        if self._session.case is not None:
            self._releaseEditor()
            self.refresh()

    def _onCaseOpened(self, case: object) -> None:
        case.editingAboutToEnd.connect(self._releaseEditor)
        self.ui.scopeCombo.setCurrentIndex(_WHOLE)

    def _bindEditor(self) -> None:
        """Let the editor show the open case's segmentation, or nothing."""
        nodes = self._session.case.nodes
        if nodes.annotationNode is None:
            self._releaseEditor()
        elif self._bound() is not nodes.annotationNode:
            self.editor.setMRMLSegmentEditorNode(self._editorNode())
            self.editor.setSegmentationNode(nodes.annotationNode)
            self.editor.setSourceVolumeNode(nodes.volumeNode)
            self._wake(self._isEntered)
            self.editorBound.emit()

    def _releaseEditor(self, *_: object) -> None:
        self._wake(False)
        if self._bound() is None:
            return
        self._dropPreview()
        self._stopEffect()
        self.editor.setSourceVolumeNode(None)
        self.editor.setSegmentationNode(None)

    def _wake(self, wanted: bool) -> None:
        """Give the editor its keys and the views, or take them away.

        Without a segmentation its keys (space, digits, Esc, ...) would do nothing but complain; and while a scene is
        closed no effect can be stopped: one that still sees the views then ends Slicer.
        """
        if wanted == self._isAwake:
            return
        self._isAwake = wanted
        if wanted:
            self.editor.installKeyboardShortcuts()
            self.editor.setupViewObservations()
        else:
            self.editor.uninstallKeyboardShortcuts()
            self.editor.removeViewObservations()

    def _dropPreview(self) -> None:
        """What Grow from seeds and Fill between slices offer is of this segmentation: never apply it to the next."""
        node = self.editor.mrmlSegmentEditorNode()
        effect = self.editor.effectByName(node.GetAttribute(_PREVIEW_OWNER) or "")
        if node.GetNodeReference(_PREVIEW) is not None and effect is not None:
            effect.self().onCancel()

    def _bound(self):
        """The segmentation that the editor's own node names; its combo box may show another one."""
        node = self.editor.mrmlSegmentEditorNode()
        return None if node is None else node.GetSegmentationNode()

    def _fitRoi(self, node) -> None:
        """A box that was just made has no size: begin with the middle of the image."""
        if self._session.case is None:
            return
        bounds = [0.0] * 6
        self._session.case.nodes.volumeNode.GetRASBounds(bounds)
        node.CreateDefaultDisplayNodes()
        node.SetCenter([(bounds[axis] + bounds[axis + 1]) / 2 for axis in (0, 2, 4)])
        node.SetSize([(bounds[axis + 1] - bounds[axis]) / 2 for axis in (0, 2, 4)])

    def _stopEffect(self) -> None:
        if self.editor.mrmlSegmentEditorNode() is not None:
            self.editor.setActiveEffect(None)

    def _editorNode(self):
        """A parameter node of this editor's own: the Segment Editor module, and another panel, keep their choices."""
        scene = self._session.services.scene
        if self._node is None or not scene.IsNodePresent(self._node):
            node, tag = scene.CreateNodeByClass("vtkMRMLSegmentEditorNode"), _EDITOR_NODE
            node.UnRegister(None)
            while scene.GetSingletonNode(tag, "vtkMRMLSegmentEditorNode") is not None:
                tag += "+"
            node.SetSingletonTag(tag)
            node.SetSaveWithScene(False)
            self._node = scene.AddNode(node)
        return self._node


def _fitSegments(editor) -> None:
    """Make the table of segments as high as its rows, up to four; Qt would make it 192 pixels high."""
    view, table = (editor.findChild("QWidget", name) for name in ("SegmentsTableView", "SegmentsTable"))
    if view is None or table is None:
        return
    rows = max(1, min(table.model().rowCount(), _MOST_ROWS))
    height = table.horizontalHeader().height + rows * max(table.rowHeight(0), _LEAST_ROW) + 2 * table.frameWidth
    view.setFixedHeight(height)
    view.parentWidget().layout().setAlignment(view, qt.Qt.AlignTop)  # else in the middle of an empty frame
