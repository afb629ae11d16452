"""The case that is open: what was read of it, its nodes in the scene, and the edits that are not saved yet."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import slicer
import vtk
from metassl.files import LabelError
from metassl.project import LabelDefinition, Project

from ...Signal import Observers, Signal
from ...Translation import _
from ..Autosave.Autosave import Autosave
from ..Autosave.AutosaveFile import AutosaveFile
from ..Scene.BackgroundTasks import BackgroundTasks
from ..Scene.Segments import Snapshot
from ..Scene.SlicerServices import SlicerServices, nodesOfClass
from .CaseFiles import CaseData, Prediction
from .CaseNodes import CaseNodes
from .CaseSegmentation import labelmapTime, labelmapTimes, takeSnapshot
from .ShownSlices import ShownSlices

_EDITS = ("SourceRepresentationModified", "SegmentAdded", "SegmentRemoved")
_BEFORE_OTHERS = 1.0
_LONGEST_PAUSE_S = 60.0


class OpenCase:
    """Made by `Session`. `changed` is emitted when editing begins or ends, at the first edit, and after saving."""

    def __init__(
        self, services: SlicerServices, tasks: BackgroundTasks, project: Project, data: CaseData, failed
    ) -> None:
        self.changed = Signal()
        self.editingAboutToEnd = Signal()
        """() the segmentation that is edited leaves the scene now."""
        self.edited = Signal()
        """() something was drawn, undone or redone, or another segmentation is edited."""
        self.id, self.project, self.data = data.caseId, project, data
        self.nodes = CaseNodes(services, project.labels, data)
        self.isModified = False
        """True when the segmentation holds edits that are in no saved label."""
        self.isRestored = False
        """True when the segmentation came out of the autosave."""
        self.showsLabel = False
        """True when the segmentation was begun with the saved label."""
        self.isFromScratch = False
        """True when it was begun with nothing."""
        self.clock = ActivityClock()
        self._scene, self._observers = services.scene, Observers()
        self._seen: set[int] = set()
        self._isTakingStructures = False
        self.autosaveFile = AutosaveFile.opened(project, data.caseId, data.autosavePath, data.autosaveMark)
        self.autosave = Autosave(tasks, self.takeSnapshot, self._writeAutosave, self.autosaveFile.remove, failed)
        self.nodes.show()
        views = nodesOfClass(services.scene, "vtkMRMLSliceNode")
        self.shown = ShownSlices(data.geometry, views)
        for view in views:  # scrolling through slices is work, too
            self._observers.add(view, "ModifiedEvent", self.clock.tick)
            self._observers.add(view, "ModifiedEvent", self.shown.tick)
        goes = slicer.vtkMRMLScene.NodeAboutToBeRemovedEvent
        self._observers.add(services.scene, goes, self._onNodeGoes, _BEFORE_OTHERS)
        if data.isAutosaveSaved:
            self.autosave.labelSaved(self.autosave.revision)
        if data.autosaved is not None:
            self.startEditing(data.autosaved, data.unknownStructures)
            self.isModified = self.isRestored = True
        elif data.label is not None or data.prediction is None:
            self.startEditing()

    @property
    def hasPrediction(self) -> bool:
        return self.data.prediction is not None

    @property
    def isEditing(self) -> bool:
        return self.nodes.annotationNode is not None

    @property
    def isWhole(self) -> bool:
        """False when somebody deleted the image, or the segmentation that is edited, elsewhere in Slicer."""
        nodes = [self.nodes.volumeNode, self.nodes.annotationNode]
        return all(self._scene.IsNodePresent(node) for node in nodes if node is not None)

    @property
    def unknownStructures(self) -> list[LabelDefinition]:
        """The structures that the label, or the prediction, which is accepted now did not know, as they came later."""
        data = self.data
        if self.isEditing and self.isFromScratch:
            return []
        unknown = [] if data.prediction is None else data.prediction.unknown(self.project.labels)
        if self.isEditing and (self.showsLabel or (self.isRestored and data.label is not None)):
            unknown = self.project.labels
        elif self.isEditing or data.label is None:  # else it was accepted a moment ago
            return unknown
        told = data.coverage
        return [] if told is None else [label for label in unknown if label.value not in told]

    def takeStructures(self, former: Sequence[LabelDefinition]) -> None:
        """Structures were added to the project, or renamed; `former`: those of before. What is drawn stays."""
        if self.data.label is not None and self.data.coverage is None:
            self.data.coverage = [label.value for label in former]
        self._isTakingStructures = True
        try:
            self.nodes.takeStructures(self.project.labels)
        finally:
            self._isTakingStructures = False
        if self.isEditing:
            self._seen = labelmapTimes(self.nodes.annotationNode)
        self.changed.emit()

    def startFromScratch(self) -> None:
        """Offer an empty segmentation to be drawn in."""
        self.startEditing(np.zeros(self.data.geometry.shape_zyx, np.uint8))
        self.isFromScratch = True

    def startEditing(self, array: np.ndarray | None = None, unknownStructures: Sequence[LabelDefinition] = ()) -> None:
        """Offer `array` (uint8, z y x) to be edited: by default the label, else the prediction, else nothing.

        `unknownStructures`: the structures in it that are none of the project's.
        """
        self.stopEditing()
        self.showsLabel = array is None and self.data.label is not None
        self.isFromScratch = False
        if array is None:
            array = self.data.label
        if array is None and self.data.prediction is not None:
            array = self.data.prediction.segmentation
        self.nodes.addAnnotation(array, unknownStructures)
        segmentation = self.nodes.annotationNode.GetSegmentation()
        self._seen = labelmapTimes(self.nodes.annotationNode)
        for event in _EDITS:
            self._observers.add(segmentation, getattr(slicer.vtkSegmentation, event), self._onEdit)
        self._observers.add(segmentation, slicer.vtkSegmentation.SegmentModified, self._onSegmentModified)
        self.edited.emit()
        self.changed.emit()

    def stopEditing(self) -> None:
        """Take the segmentation out of the scene, with any edits that it holds."""
        if not self.isEditing:
            return
        self.editingAboutToEnd.emit()
        self._observers.remove(self.nodes.annotationNode.GetSegmentation())
        self.nodes.removeAnnotation()
        self.isModified = self.isRestored = False
        self.changed.emit()

    def takeSnapshot(self) -> Snapshot:
        """The segmentation as it is now, for a task to turn into an array."""
        return takeSnapshot(self.nodes.annotationNode, self.data.geometry, self.project.labels)

    def currentArray(self) -> np.ndarray:
        """The segmentation as it is now: uint8 (z, y, x)."""
        return self.takeSnapshot().toArray()

    def refuseTransform(self) -> None:
        """LabelError when the image was moved under what is drawn on it: the label would not fit the image's file."""
        image, drawn = self.nodes.volumeNode, self.nodes.annotationNode
        if image.GetTransformNodeID() != drawn.GetTransformNodeID():
            text = _("case {case}: its image and its segmentation are under different transforms; take both out")
            raise LabelError(text.format(case=self.id))

    def labelSaved(self, revision: int) -> None:
        """What was edited up to `revision` is in a saved label."""
        self.autosave.labelSaved(revision)
        if revision == self.autosave.revision:
            self.isModified = self.isRestored = False
            self.showsLabel = True
        if self.isEditing:
            self.setSegmentStatus("Completed")
        self.changed.emit()

    def discardEdits(self) -> None:
        """Throw the unsaved edits away, with the autosave, and go back to the label or the prediction."""
        self.stopEditing()
        self.autosave.labelSaved(self.autosave.revision)
        self.data.autosaved, self.data.begunOn = None, self.data.labelVersion
        if self.data.label is not None or self.data.prediction is None:
            self.startEditing()
        self.changed.emit()

    def exchangePrediction(self, prediction: Prediction) -> None:
        """Show another prediction. What was changed by hand, or is a label, stays in the editor as it is."""
        wasPredicted = self.hasPrediction
        self.data.prediction, self.data.predictedBy, self.data.heat = prediction, prediction.round, None
        self.shown.forget()
        self.nodes.exchangePrediction()
        if self.isEditing and not self.isModified and not self.showsLabel:
            # nothing but a copy of the former prediction, or nothing at all
            self.startEditing(prediction.segmentation) if wasPredicted else self.stopEditing()
        self.changed.emit()

    def setSegmentStatus(self, status: str) -> None:
        """Give all segments one of Slicer's own review states: InProgress, Completed or Flagged."""
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        for node in filter(None, (self.nodes.annotationNode, self.nodes.predictionNode)):
            segmentation = node.GetSegmentation()
            for index in range(segmentation.GetNumberOfSegments()):
                logic.SetSegmentStatus(segmentation.GetNthSegment(index), getattr(logic, status))

    def close(self, wait: bool = False) -> Future | None:
        """Have unsaved edits written to the autosave and take the nodes away; returns the write under way, if any.

        With `wait` it is over, or what went wrong is raised. What could not be written is kept by `autosave`.
        """
        try:
            if wait and self.isEditing:
                self.autosave.finishNow()
            return self.autosave.finish() if self.isEditing else self.autosave.pending
        finally:
            self._observers.remove()
            self.shown.end()
            self.nodes.remove()

    @vtk.calldata_type(vtk.VTK_STRING)
    def _onSegmentModified(self, _segmentation, _event, identifier: str) -> None:
        """A name, a status, or, by undo and redo, which tell nothing else, the voxels."""
        changed = labelmapTime(self.nodes.annotationNode.GetSegmentation().GetSegment(identifier))
        if changed is not None and changed not in self._seen:
            self._onEdit()

    def _onEdit(self, *_: object) -> None:
        if self._isTakingStructures:
            return
        self._seen = labelmapTimes(self.nodes.annotationNode)
        self.clock.tick()
        self.autosave.touch()
        self.edited.emit()
        if not self.isModified:
            self.isModified = True
            self.changed.emit()

    def rescue(self) -> Path:
        """Write unsaved edits outside the project, where they could not be written in it; returns where."""
        return self.autosaveFile.rescue(self.project, *self._autosaveContent(self.autosave.snapshot()))

    def _writeAutosave(self, snapshot: Snapshot) -> None:
        self.autosaveFile.write(*self._autosaveContent(snapshot))
        self.project.mark_in_progress(self.id)

    def _autosaveContent(self, snapshot: Snapshot) -> tuple:
        array, unknownStructures = snapshot.withUnknownStructures(self.project.labels)
        return array, self.data.geometry, [*self.project.labels, *unknownStructures], self.data.begunOn

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeGoes(self, _scene, _event, node) -> None:
        """Somebody deletes the segmentation: Slicer's data tree empties it before it goes, which is no edit."""
        if self.isEditing and node is self.nodes.annotationNode:
            self._observers.remove(node.GetSegmentation())
            self.autosave.finish()


class ActivityClock:
    """How long somebody really worked on a case: adds up the time between signs of life, at most a minute each."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()
        self._seconds = 0.0

    def tick(self, *_: object) -> None:
        """Somebody did something. It takes anything, so that an observer may call it."""
        now = self._clock()
        self._seconds += min(now - self._last, _LONGEST_PAUSE_S)
        self._last = now

    def take(self) -> float:
        """The seconds since the last `take`, up to the last sign of life."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds
