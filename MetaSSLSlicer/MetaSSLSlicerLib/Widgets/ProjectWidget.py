"""The section "Project": begin one, open one, and see how far the open one is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from html import escape
from pathlib import Path

from metassl.files import MetaSSLError
from metassl.project import LabelDefinition
from metassl.project.words import said_once, sentence

from ..Logic.Case.Session import Session
from ..Logic.Project.CaseTable import ProjectSummary
from ..Logic.Project.ProjectFolders import RecentProjects, nearestProject, projectsFolder
from ..Logic.Project.ProjectReader import ProjectReader
from ..Logic.Project.SampleProject import SAMPLE_NAME, makeSampleProject
from ..Translation import _
from .NewProjectWidget import NewProjectWidget
from .Parts.StructuresForm import StructuresForm
from .Section import Section, loadUi, onClick, showError
from .Section import chooseFile as askForFile
from .Section import chooseFolder as askForFolder
from .userSettings import userSettings

RECENT_SETTING = "MetaSSL/recentProjects"
_MOST_WARNINGS = 5


class ProjectWidget(Section):
    """`chooseFolder(title, start)` asks for a folder; `makeSample(folder)` makes the sample project, in a thread."""

    def __init__(
        self,
        session: Session,
        chooseFolder: Callable[[str, str], str] = askForFolder,
        makeSample: Callable[[Path], Path] = makeSampleProject,
        chooseFile: Callable[[str], str] = askForFile,
    ) -> None:
        super().__init__(session)
        self.widget, self.ui = loadUi("ProjectWidget")
        self._chooseFolder, self._makeSample = chooseFolder, makeSample
        self._recent = RecentProjects.fromText(userSettings().value(RECENT_SETTING, ""))
        self._isMakingNew = self._isBusy = False
        self._counter = ProjectReader(session, lambda project: partial(ProjectSummary.read, project), self._onCounted)
        self.newProject = self.addPart(NewProjectWidget(session, chooseFolder, chooseFile))
        ui = self.ui
        ui.newWidget.layout().addWidget(self.newProject.widget)
        self.structures = self.addPart(StructuresForm(session, ui))
        onClick(
            (ui.newButton, self.beginNew),
            (ui.openButton, self._browse),
            (ui.sampleButton, self.openSample),
            (ui.closeButton, session.closeProject),
            (ui.dismissButton, lambda: self._showWarnings([])),
        )
        ui.recentList.connect("itemClicked(QListWidgetItem*)", lambda _item: self._openRecent())
        ui.recentList.connect("itemActivated(QListWidgetItem*)", lambda _item: self._openRecent())
        self.listen(
            (self.newProject.created, self._onCreated),
            (self.newProject.cancelled, self._endNew),
            (session.projectChanged, self._onProjectChanged),
            (session.structuresChanged, lambda _former: self._showStructures()),
            (session.casesChanged, lambda _ids: self._counter.ask()),
        )
        self._onProjectChanged()

    def beginNew(self) -> None:
        self._isMakingNew = True
        self.newProject.open()
        showError(self.ui, None)
        self._show()

    def openProject(self, folder: Path) -> None:
        """Open the project in `folder`, or the one that it lies in; what is wrong is said in the section."""
        path = nearestProject(folder)
        try:
            if path is None:
                text = _("{folder} holds no project. Choose a project's folder, or make a new project.")
                showError(self.ui, text.format(folder=folder))
            else:
                self._session.openProject(path)
        except MetaSSLError as error:
            showError(self.ui, error)

    def openSample(self) -> None:
        """Make the sample project if there is none yet, and open it."""
        if self._isBusy:
            return
        self._endNew()
        self._setBusy(True)
        showError(self.ui, None)

        def done(path: Path) -> None:
            self._setBusy(False)
            self.openProject(path)

        def failed(error: Exception) -> None:
            self._setBusy(False)
            showError(self.ui, error)
            if not isinstance(error, MetaSSLError):
                self._session.fail(error)

        folder = projectsFolder() / SAMPLE_NAME
        self._session.tasks.run(lambda: self._makeSample(folder), done, failed)

    # No project

    def _browse(self) -> None:
        start = self._recent.paths[0].parent if self._recent.paths else projectsFolder()
        folder = self._chooseFolder(_("The folder of a project"), str(start))
        if folder:
            self.openProject(Path(folder))

    def _openRecent(self) -> None:
        index = self.ui.recentList.currentRow
        if self._session.project is not None or not 0 <= index < len(self._recent.paths):
            return  # a double click comes twice
        path = self._recent.paths[index]
        if (path / "project.json").is_file():
            self.openProject(path)
            return
        self._recent.remove(path)
        self._keepRecent()
        showError(self.ui, _("{folder} is not there any more. It was taken off the list.").format(folder=path))

    def _keepRecent(self) -> None:
        userSettings().setValue(RECENT_SETTING, self._recent.text)
        recent, paths = self.ui.recentList, self._recent.paths
        recent.clear()
        for index, path in enumerate(paths):
            folder = path.parent if path.name == "project" else path  # as the sample's
            recent.addItem(f"{folder.name}  -  {folder.parent}")
            recent.item(index).setToolTip(str(path))
        recent.setFixedHeight(len(paths) * recent.sizeHintForRow(0) + 8)
        self.ui.recentWidget.setVisible(bool(paths))

    def _onCreated(self, path: Path, warnings: list[str]) -> None:
        self._endNew()
        self.openProject(path)
        self._showWarnings(warnings)

    def _endNew(self) -> None:
        self._isMakingNew = False
        self.newProject.images.close()
        self._show()

    def _setBusy(self, busy: bool) -> None:
        self._isBusy = busy
        for button in (self.ui.newButton, self.ui.openButton, self.ui.sampleButton, self.ui.recentList):
            button.setEnabled(not busy)
        self.ui.busyWidget.setVisible(busy)

    # The open project

    def _onProjectChanged(self) -> None:
        project = self._session.project
        if project is not None:
            self._recent.add(project.path)
            self._isMakingNew = False
            self.newProject.images.close()
            self.ui.nameLabel.text = f"<b>{escape(project.name)}</b>"
            self.ui.pathLabel.text = str(project.path)
            self._showStructures()
            self.ui.countsLabel.text = ""
            self._counter.ask()
        self._keepRecent()
        self._showWarnings([])
        showError(self.ui, None)
        self._setBusy(self._isBusy)
        self._show()

    def _showStructures(self) -> None:
        self.ui.labelsLabel.text = " &nbsp; ".join(map(_labelText, self._session.project.labels))

    def _show(self) -> None:
        isOpen = self._session.project is not None
        self.ui.openWidget.setVisible(isOpen)
        self.ui.newWidget.setVisible(not isOpen and self._isMakingNew)
        self.ui.closedWidget.setVisible(not isOpen and not self._isMakingNew)

    def _onCounted(self, summary: ProjectSummary) -> None:
        self.ui.countsLabel.text = summary.text

    def _showWarnings(self, warnings: list[str]) -> None:
        self.ui.warningsFrame.setVisible(bool(warnings))
        lines = [sentence(warning) for warning in said_once(warnings)]
        shown = lines[:_MOST_WARNINGS]
        if len(lines) > len(shown):
            shown.append(_("... and {number} more.").format(number=len(lines) - len(shown)))
        self.ui.warningsLabel.text = "\n".join(shown)
        self.ui.warningsLabel.toolTip = "\n".join(lines)


def _labelText(label: LabelDefinition) -> str:
    name = escape(label.name).replace(" ", "&nbsp;")
    return f'<span style="color:{label.color}">&#9632;</span>&nbsp;{name}'
