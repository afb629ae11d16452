"""The part of the form for a new project that says which images it is made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import qt
import slicer
from metassl.files import ProjectError
from metassl.project.words import plural, sentence

from ...Logic.Case.Session import Session
from ...Logic.Project.NewProject import FolderPreview
from ...Logic.Scene.SceneVolumes import SceneVolume, SceneVolumes, VolumeCase
from ...Signal import Observers, Signal
from ...Translation import _
from ..Section import Section, onClick, withoutSignals

_LOOK_AFTER_MS = 400
_REFRESH_AFTER_MS = 200
_SCENE_EVENTS = ("NodeAddedEvent", "NodeRemovedEvent", "EndBatchProcessEvent", "EndCloseEvent")
_MOST_LINES = 6
_ONE_MEASURED_IN = 5


class ImagesForm(Section):
    """A folder, which is looked into as soon as it is chosen, or volumes in the scene, which are ticked."""

    def __init__(self, session: Session, ui, chooseFolder: Callable[[str, str], str]) -> None:
        super().__init__(session)
        self.changed = Signal()
        """() the user changed something, or `preview` did."""
        self.found = Signal()
        """() `preview` is there."""
        self.preview: FolderPreview | None = None
        self.ui, self._chooseFolder = ui, chooseFolder
        self._sceneVolumes = SceneVolumes(session.services.scene)
        self._volumes: list[SceneVolume] = []
        self._unticked: set[str] = set()
        self._looking: Path | None = None
        self._observers = Observers()
        self._lookTimer = self.makeTimer(_LOOK_AFTER_MS, self._look, once=True)
        self._refreshTimer = self.makeTimer(_REFRESH_AFTER_MS, self._refreshVolumes, once=True)
        ui.folderSource.connect("toggled(bool)", lambda _on: self._onSourceChanged())
        ui.imagesEdit.connect("textChanged(QString)", lambda _text: self._onFolderChanged())
        onClick((ui.imagesBrowse, self._browse))
        for spin in (ui.labelledSpin, ui.measuredSpin):
            spin.connect("valueChanged(int)", lambda _value: self._boundSpins())
        ui.volumeList.connect("itemChanged(QListWidgetItem*)", lambda _item: self._onTicked())

    @property
    def isFolder(self) -> bool:
        """Do the images come from a folder, not from the scene?"""
        return self.ui.folderSource.isChecked()

    @property
    def folder(self) -> Path | None:
        """The folder with the images; None when they are volumes. Raises ProjectError when none is chosen."""
        text = self.ui.imagesEdit.text.strip()
        if self.isFolder and not text:
            raise ProjectError(_("Choose the folder with the images."))
        return Path(text).expanduser() if self.isFolder else None

    @property
    def volumes(self) -> list[VolumeCase]:
        """The ticked volumes; none when the images lie in a folder. Raises ProjectError."""
        if self.isFolder:
            return []
        ticked = [volume for volume in self._volumes if volume.nodeId not in self._unticked]
        if not ticked:
            raise ProjectError(_("Tick at least one volume: each becomes a case."))
        return self._sceneVolumes.prepare(ticked)

    @property
    def imported(self) -> tuple[int, int]:
        """How many label files of the folder are to be taken: to train on, and to measure with."""
        return (self.ui.labelledSpin.value, self.ui.measuredSpin.value) if self._offersLabels() else (0, 0)

    def open(self) -> None:
        """Begin afresh; what is loaded in Slicer is offered first."""
        self._unticked = set()
        self.ui.imagesEdit.text = ""
        self._lookTimer.stop()
        scene = self._session.services.scene
        self._observers.remove()
        for name in _SCENE_EVENTS:
            self._observers.add(scene, getattr(slicer.vtkMRMLScene, name), lambda *_: self._refreshTimer.start())
        self._refreshVolumes()
        (self.ui.sceneSource if self._volumes else self.ui.folderSource).setChecked(True)
        self._onSourceChanged()

    def close(self) -> None:
        self._lookTimer.stop()
        self._refreshTimer.stop()
        self.preview, self._looking = None, None
        self._observers.remove()

    def cleanup(self) -> None:
        super().cleanup()
        self.close()

    # A folder

    def _onSourceChanged(self) -> None:
        self.ui.folderWidget.setVisible(self.isFolder)
        self.ui.sceneWidget.setVisible(not self.isFolder)
        self._showPreview()

    def _onFolderChanged(self) -> None:
        self.preview, self._looking = None, None
        self._showPreview()
        self._lookTimer.start()

    def _browse(self) -> None:
        folder = self._chooseFolder(_("The folder with the images"), self.ui.imagesEdit.text)
        if folder:
            self.ui.imagesEdit.text = folder
            self._lookTimer.stop()
            self._look()

    def _look(self) -> None:
        text = self.ui.imagesEdit.text.strip()
        if not text:
            return
        folder = self._looking = Path(text).expanduser()
        self.ui.foundLabel.text = _("Looking into the folder...")

        def goOn() -> None:
            if folder is not self._looking or self._session.isEnding:
                raise ProjectError(_("The search was given up."))

        def done(preview: FolderPreview) -> None:
            if folder is self._looking:
                self._onFound(preview)

        def failed(error: Exception) -> None:
            if folder is self._looking:
                self.ui.foundLabel.text = sentence(error)

        self._session.tasks.run(lambda: FolderPreview.read(folder, goOn), done, failed)

    def _onFound(self, preview: FolderPreview) -> None:
        self.preview = preview
        measured = preview.measurable or preview.labelled // _ONE_MEASURED_IN
        trained = preview.labelled if preview.measurable else preview.labelled - measured
        for spin, value in ((self.ui.labelledSpin, trained), (self.ui.measuredSpin, measured)):
            spin.setMaximum(preview.labelled + preview.measurable)
            spin.setValue(value)
        self._boundSpins()
        self.found.emit()
        self._showPreview()

    def _boundSpins(self) -> None:
        """A label is either trained on or measured with."""
        found, ui = self.preview, self.ui
        if found is None:
            return
        apart = found.measurable > 0  # the data set itself keeps some for measuring
        ui.labelledSpin.setMaximum(found.labelled if apart else found.labelled - ui.measuredSpin.value)
        ui.measuredSpin.setMaximum(found.measurable if apart else found.labelled - ui.labelledSpin.value)

    def _offersLabels(self) -> bool:
        return self.isFolder and self.preview is not None and self.preview.labelled + self.preview.measurable > 0

    def _showPreview(self) -> None:
        self.ui.importWidget.setVisible(self._offersLabels())
        self.ui.foundLabel.text = self._foundText()
        self.changed.emit()

    def _foundText(self) -> str:
        found = self.preview
        if found is None:
            return _("NIfTI, NRRD or MetaImage files, DICOM series, or a data set with dataset.json.")
        text = plural(found.cases, _("1 case found"), _("{count} cases found"))
        if found.channels > 1:
            text = _("{cases}, of {number} images each").format(cases=text, number=found.channels)
        return _("{text}. The images stay where they are.").format(text=text)

    # Volumes in the scene

    def _refreshVolumes(self) -> None:
        ui = self.ui
        self._volumes = self._sceneVolumes.candidates()
        with withoutSignals(ui.volumeList):
            ui.volumeList.clear()
            for index, volume in enumerate(self._volumes):
                ui.volumeList.addItem(volume.caseId)
                ticked = volume.nodeId not in self._unticked
                ui.volumeList.item(index).setCheckState(qt.Qt.Checked if ticked else qt.Qt.Unchecked)
        ui.volumeList.setVisible(bool(self._volumes))
        ui.volumeList.setFixedHeight(min(len(self._volumes), _MOST_LINES) * ui.volumeList.sizeHintForRow(0) + 8)
        if self._volumes:
            ui.sceneHint.text = _("Each ticked volume becomes a case. One that lies in a file stays there.")
        else:
            ui.sceneHint.text = _("No volume is loaded yet. Load some, for example with the module DICOM.")
        ui.segmentationSelector.setVisible(ui.segmentationSelector.nodeCount() > 0)

    def _onTicked(self) -> None:
        states = [self.ui.volumeList.item(index).checkState() for index in range(len(self._volumes))]
        pairs = zip(self._volumes, states)
        self._unticked = {volume.nodeId for volume, state in pairs if state == qt.Qt.Unchecked}
        self.changed.emit()
