"""The part of the section "Project" that adds structures to the open project, or renames them."""

from __future__ import annotations

from functools import partial

from metassl.files import LabelError
from metassl.project import LabelDefinition, Project
from metassl.project.words import plural, sentence

from ...Logic.Case.Session import Session
from ...Logic.Project.StructureChanges import apply, whatItMeans
from ...Translation import _
from ..Section import Section, onClick
from .LabelTable import LabelTable


class StructuresForm(Section):
    """Says what a change means for the labels that are there before it is made, in a task."""

    def __init__(self, session: Session, ui, **choose) -> None:
        super().__init__(session)
        self.ui = ui
        self.table = LabelTable(ui.structuresTable, **choose)
        self._labelled = 0
        self._isBusy = self._isOpen = False
        onClick(
            (ui.structuresButton, self.open),
            (ui.structuresAdd, self.table.add),
            (ui.structuresRemove, self.table.removeCurrent),
            (ui.structuresApply, self._apply),
            (ui.structuresCancel, self.close),
        )
        self.listen(
            (self.table.edited, self._refresh),
            (session.projectChanged, self.close),
            (session.casesChanged, lambda _ids: self._count()),
        )
        self.close()

    def open(self) -> None:
        """Show the project's structures as they are."""
        project = self._session.project
        if project is None or self._isBusy:
            return
        self.table.setLabels(project.labels, fixed=len(project.labels))
        self._show(True)
        self._count()
        self._refresh()

    def close(self) -> None:
        self._show(False)

    def _show(self, isOpen: bool) -> None:
        self._isOpen = isOpen
        self.ui.structuresFrame.setVisible(isOpen)
        self.ui.structuresButton.setEnabled(not isOpen)

    def _count(self) -> None:
        project = self._session.project
        if project is None or not self._isOpen:
            return

        def count() -> int:
            return sum(case.label_version is not None for case in project.cases.values())

        self._session.tasks.run(count, partial(self._onCounted, project), self._session.fail)

    def _onCounted(self, project: Project, labelled: int) -> None:
        if project is self._session.project:
            self._labelled = labelled
            self._refresh()

    def _refresh(self) -> None:
        project = self._session.project
        if project is None or not self._isOpen:
            return
        try:
            text = whatItMeans(project.labels, self.table.labels, self._labelled)
            isRight = bool(text)
        except LabelError as error:
            text, isRight = sentence(error), False
        self.ui.structuresMeaning.text = text
        self.ui.structuresMeaning.setVisible(bool(text))
        self.ui.structuresApply.setEnabled(isRight and not self._isBusy)

    def _apply(self) -> None:
        project = self._session.project
        try:
            wanted = self.table.labels
        except LabelError:
            return  # it is said in the form
        former = project.labels
        self._isBusy = True
        self._refresh()
        self._session.tasks.run(
            lambda: apply(project, wanted),
            lambda silent: self._onDone(project, former, silent),
            self._onFailed,
        )

    def _onDone(self, project: Project, former: list[LabelDefinition], silent: list[str]) -> None:
        self._isBusy = False
        self.close()
        if project is not self._session.project:
            return
        self._session.structuresChanged.emit(former)
        self._session.casesChanged.emit(None)
        text = _("The structures are changed.")
        if silent:
            text = plural(
                len(silent),
                _("The structures are changed. 1 label says nothing about what is new."),
                _("The structures are changed. {count} labels say nothing about what is new."),
            )
        self._session.say("info", text)

    def _onFailed(self, error: Exception) -> None:
        self._isBusy = False
        self._session.fail(error)
        self._refresh()
