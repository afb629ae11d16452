"""The form for a new project. It fills itself in as far as it can, and says beside itself what is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from metassl.files import MetaSSLError, ProjectError
from metassl.project import LabelDefinition
from metassl.project.words import sentence

from ..Logic.Case.Session import Session
from ..Logic.Project.NewProject import NewProject, labelsOfSegmentation
from ..Logic.Project.ProjectFolders import projectsFolder, suggestedFolder
from ..Signal import Signal
from ..Translation import _
from .ModelForm import ModelForm
from .Parts.ImagesForm import ImagesForm
from .Parts.LabelTable import LabelTable
from .Section import Section, loadUi, onClick, showError
from .Section import chooseFile as askForFile
from .Section import chooseFolder as askForFolder
from .userSettings import userSettings

PARENT_SETTING = "MetaSSL/projectsFolder"


class NewProjectWidget(Section):
    """`chooseFolder(title, start)` and `chooseFile(title)` ask for a folder or a file and return its path, or ""."""

    def __init__(
        self,
        session: Session,
        chooseFolder: Callable[[str, str], str] = askForFolder,
        chooseFile: Callable[[str], str] = askForFile,
    ) -> None:
        super().__init__(session)
        self.widget, self.ui = loadUi("NewProjectWidget")
        self.created = Signal()
        """(path, warnings) a project was made."""
        self.cancelled = Signal()
        """()"""
        self._chooseFolder = chooseFolder
        self._labelsEdited = self._nameEdited = self._pathEdited = False
        ui = self.ui
        self.images = self.addPart(ImagesForm(session, ui, chooseFolder, chooseFile))
        self.model = self.addPart(ModelForm(session, ui, chooseFolder))
        self.labelTable = LabelTable(ui.labelTable)
        ui.segmentationSelector.setMRMLScene(session.services.scene)
        onClick(
            (ui.addLabelButton, self.labelTable.add),
            (ui.removeLabelButton, self.labelTable.removeCurrent),
            (ui.dataSetLabelsButton, self._takeDataSetLabels),
            (ui.pathBrowse, self._browsePath),
            (ui.createButton, self.create),
            (ui.cancelButton, self.cancelled.emit),
        )
        ui.segmentationSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._onSegmentation)
        ui.nameEdit.connect("textEdited(QString)", lambda _text: self._onNameEdited())
        ui.nameEdit.connect("textChanged(QString)", lambda _text: self._suggestFolder())
        ui.pathEdit.connect("textEdited(QString)", lambda _text: self._onPathEdited())
        self.listen(
            (self.images.changed, self._onImagesChanged),
            (self.images.found, self._onFound),
            (self.model.found, self._onModelFound),
            (self.labelTable.edited, self._onLabelsEdited),
        )
        self._setBusy(False)
        showError(self.ui, None)

    def cleanup(self) -> None:
        super().cleanup()
        self.ui.segmentationSelector.setMRMLScene(None)

    def open(self) -> None:
        self._labelsEdited = self._nameEdited = self._pathEdited = False
        self.ui.nameEdit.text = _("New project")
        self.ui.segmentationSelector.setCurrentNode(None)
        self.labelTable.setLabels([LabelDefinition(1, _("Structure {number}").format(number=1))])
        self.images.open()
        self.model.open()
        self._suggestFolder()

    def create(self) -> None:
        try:
            request = self._request()
        except MetaSSLError as error:
            showError(self.ui, error)
            return
        showError(self.ui, None)
        self._setBusy(True)
        self._session.tasks.run(request.create, lambda made: self._onMade(*made), self._onNotMade)

    def _request(self) -> NewProject:
        folder, volumes = self.images.folder, self.images.volumes
        labels = self.labelTable.labels
        name, path = self.ui.nameEdit.text.strip(), self.ui.pathEdit.text.strip()
        if not name:
            raise ProjectError(_("Give the project a name."))
        if not path or not Path(path).expanduser().is_absolute():
            raise ProjectError(_("Choose a folder for the project."))
        imported, model = self.images.imported, self.model.chosen
        return NewProject(Path(path).expanduser(), name, labels, folder, volumes, *imported, model)

    # Images

    def _onImagesChanged(self) -> None:
        preview = self.images.preview
        hasOthers = self.images.isFolder and preview is not None and bool(preview.labels) and self._labelsEdited
        self.ui.dataSetLabelsButton.setVisible(hasOthers)
        self._showNames()
        showError(self.ui, None)

    def _onFound(self) -> None:
        if not self._nameEdited:
            self.ui.nameEdit.text = self.images.preview.name
        if self.images.preview.labels and not self._labelsEdited and self.model.model is None:
            self._takeDataSetLabels()

    def _onModelFound(self) -> None:
        if self.model.model is not None and not self._labelsEdited:
            self.labelTable.setLabels(self.model.model.definitions())
            self._onImagesChanged()

    # Structures

    def _takeDataSetLabels(self) -> None:
        self.labelTable.setLabels(self.images.preview.labels)
        self._labelsEdited = False
        self._onImagesChanged()

    def _showNames(self) -> None:
        """What becomes of the names in the label files: nothing is exchanged without a word."""
        told: list[str] = []
        if self.images.takesLabels:
            try:
                told = self.images.preview.namesTold(self.labelTable.labels)
            except MetaSSLError as error:
                told = [sentence(error)]
        self.ui.namesLabel.setVisible(bool(told))
        self.ui.namesLabel.text = "\n".join(map(sentence, told))

    def _onSegmentation(self, node) -> None:
        if node is None:
            return
        labels = labelsOfSegmentation(node)
        if labels:
            self.labelTable.setLabels(labels)
            self._onLabelsEdited()
        else:
            showError(self.ui, _("{name} has no segments.").format(name=node.GetName()))

    def _onLabelsEdited(self) -> None:
        self._labelsEdited = True
        self._onImagesChanged()

    # Name and folder

    def _onNameEdited(self) -> None:
        self._nameEdited = bool(self.ui.nameEdit.text.strip())
        showError(self.ui, None)

    def _suggestFolder(self) -> None:
        if not self._pathEdited:
            self.ui.pathEdit.text = str(suggestedFolder(self._parent(), self.ui.nameEdit.text.strip()))

    def _onPathEdited(self) -> None:
        self._pathEdited = bool(self.ui.pathEdit.text.strip())
        showError(self.ui, None)

    def _browsePath(self) -> None:
        parent = self._chooseFolder(_("The folder in which the project's own folder is made"), str(self._parent()))
        if parent:
            userSettings().setValue(PARENT_SETTING, parent)
            self._pathEdited = False
            self._suggestFolder()
            showError(self.ui, None)

    def _parent(self) -> Path:
        return Path(userSettings().value(PARENT_SETTING, "") or projectsFolder())

    # Making it

    def _onMade(self, path: Path, warnings: list[str]) -> None:
        self._setBusy(False)
        userSettings().setValue(PARENT_SETTING, str(path.parent))
        self.created.emit(path, warnings)

    def _onNotMade(self, error: Exception) -> None:
        self._setBusy(False)
        if not isinstance(error, MetaSSLError):
            self._session.fail(error)
        showError(self.ui, error)
        self._suggestFolder()  # another one, should this one hold something now

    def _setBusy(self, busy: bool) -> None:
        self.ui.formWidget.setEnabled(not busy)
        self.ui.createButton.setEnabled(not busy)
        self.ui.cancelButton.setEnabled(not busy)
        self.ui.busyWidget.setVisible(busy)
