"""The case that is open: what was read of it, its nodes in the scene, and the edits that are not saved yet."""

from __future__ import annotations

from concurrent.futures import Future

import numpy as np
import slicer
from metassl.project import Project

from ..Signal import Signal
from .ActivityClock import ActivityClock
from .Autosave import Autosave
from .BackgroundTasks import BackgroundTasks
from .CaseFiles import CaseData
from .CaseNodes import CaseNodes
from .CaseSegmentation import Snapshot, takeSnapshot
from .JournalFile import JournalFile
from .SlicerServices import SlicerServices
from .ViewNodes import nodesOfClass

_EDITS = ("SourceRepresentationModified", "SegmentAdded", "SegmentRemoved")


class OpenCase:
    """Made by `Session`. `changed` is emitted when editing begins or ends, at the first edit, and after saving."""

    def __init__(
        self, services: SlicerServices, tasks: BackgroundTasks, project: Project, data: CaseData, failed
    ) -> None:
        self.changed = Signal()
        self.editingAboutToEnd = Signal()
        """() the segmentation that is edited leaves the scene now."""
        self.id, self.project, self.data = data.caseId, project, data
        self.nodes = CaseNodes(services, project.labels, data)
        self.isModified = False
        """True when the segmentation holds edits that are in no saved label."""
        self.isRestored = False
        """True when the segmentation came out of the journal."""
        self.clock = ActivityClock()
        self._scene, self._observed = services.scene, []
        self.journal = JournalFile(data.journalPath, data.journalMark)
        self.autosave = Autosave(tasks, self.takeSnapshot, self._writeJournal, self.journal.remove, failed)
        self.nodes.show()
        self._observeViews()
        if data.journal is not None:
            self.startEditing(data.journal)
            self.isModified = self.isRestored = True
        elif data.label is not None or data.prediction is None:
            self.startEditing()

    @property
    def hasPrediction(self) -> bool:
        """True when a model has predicted this case."""
        return self.data.prediction is not None

    @property
    def isEditing(self) -> bool:
        """True when there is a segmentation to be edited."""
        return self.nodes.annotationNode is not None

    @property
    def isWhole(self) -> bool:
        """False when somebody deleted the image, or the segmentation that is edited, elsewhere in Slicer."""
        nodes = [self.nodes.volumeNode, self.nodes.annotationNode]
        return all(self._scene.IsNodePresent(node) for node in nodes if node is not None)

    def startEditing(self, array: np.ndarray | None = None) -> None:
        """Offer `array` (uint8, z y x) to be edited: by default the label, else the prediction, else nothing."""
        if array is None:
            array = self.data.label
        if array is None and self.data.prediction is not None:
            array = self.data.prediction.segmentation
        self.stopEditing()
        self.nodes.addAnnotation(array)
        segmentation = self.nodes.annotationNode.GetSegmentation()
        for event in _EDITS:
            self._observe(segmentation, getattr(slicer.vtkSegmentation, event), self._onEdit)
        self.changed.emit()

    def stopEditing(self) -> None:
        """Take the segmentation out of the scene, with any edits that it holds."""
        if not self.isEditing:
            return
        self.editingAboutToEnd.emit()
        self._unobserve(self.nodes.annotationNode.GetSegmentation())
        self.nodes.removeAnnotation()
        self.isModified = self.isRestored = False
        self.changed.emit()

    def takeSnapshot(self) -> Snapshot:
        """The segmentation as it is now, for a task to turn into an array."""
        return takeSnapshot(self.nodes.annotationNode, self.data.geometry, self.project.labels)

    def currentArray(self) -> np.ndarray:
        """The segmentation as it is now: uint8 (z, y, x)."""
        return self.takeSnapshot().toArray()

    def labelSaved(self, revision: int) -> None:
        """What was edited up to `revision` is in a saved label."""
        self.autosave.labelSaved(revision)
        if revision == self.autosave.revision:
            self.isModified = self.isRestored = False
        if self.isEditing:
            self.setSegmentStatus("Completed")
        self.changed.emit()

    def discardEdits(self) -> None:
        """Throw the unsaved edits away, with the journal, and go back to the label or the prediction."""
        self.stopEditing()
        self.autosave.labelSaved(self.autosave.revision)
        self.data.journal = None
        if self.data.label is not None or self.data.prediction is None:
            self.startEditing()
        self.changed.emit()

    def setSegmentStatus(self, status: str) -> None:
        """Give all segments one of Slicer's own review states: InProgress, Completed or Flagged."""
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        for node in filter(None, (self.nodes.annotationNode, self.nodes.predictionNode)):
            segmentation = node.GetSegmentation()
            for index in range(segmentation.GetNumberOfSegments()):
                logic.SetSegmentStatus(segmentation.GetNthSegment(index), getattr(logic, status))

    def close(self, wait: bool = False) -> Future | None:
        """Have unsaved edits written to the journal and take the nodes away; returns the write under way, if any."""
        pending = None
        if wait:
            self.autosave.writeNow()
        elif self.isEditing:
            pending = self.autosave.flush()
        for target, tags in self._observed:
            for tag in tags:
                target.RemoveObserver(tag)
        self._observed = []
        self.nodes.remove()
        return pending

    def _onEdit(self, *_: object) -> None:
        self.clock.tick()
        self.autosave.touch()
        if not self.isModified:
            self.isModified = True
            self.changed.emit()

    def _writeJournal(self, snapshot: Snapshot) -> None:
        self.journal.write(snapshot.toArray(strict=False), self.data.geometry, self.project.labels)
        self.project.mark_in_progress(self.id)

    def _observeViews(self) -> None:
        """Scrolling through slices is work, too."""
        for node in nodesOfClass(self._scene, "vtkMRMLSliceNode"):
            self._observe(node, "ModifiedEvent", self.clock.tick)

    def _observe(self, target, event, callback) -> None:
        self._observed.append((target, [target.AddObserver(event, callback)]))

    def _unobserve(self, target) -> None:
        for observed, tags in [entry for entry in self._observed if entry[0] is target]:
            for tag in tags:
                observed.RemoveObserver(tag)
        self._observed = [entry for entry in self._observed if entry[0] is not target]
