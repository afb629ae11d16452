"""The section "Rounds": every training so far, the choice of one, comparing, and export."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import slicer.util
from metassl.project.round_choice import choose_newest, review_round, train_on_from

from ..Logic.Case.Agreement import RoundComparison, compareRound
from ..Logic.Case.Session import Session
from ..Logic.Engine.EnginePython import EnginePython
from ..Logic.Project.ProjectReader import ProjectReader
from ..Logic.Project.RoundTable import RoundList, RoundRow, RoundTable, describe
from ..Translation import _
from .Parts.ExportControl import ExportControl
from .Parts.RoundTableModel import RoundTableModel
from .Parts.ThinningControl import ThinningControl
from .Section import Section, chooseFolder, loadUi, onClick


class RoundsWidget(Section):
    """`chooseFolder(title, start)` asks the user for a folder, "" for none; `confirm(question)` before maps go."""

    def __init__(
        self,
        session: Session,
        engine: EnginePython | None = None,
        chooseFolder: Callable[[str, str], str] = chooseFolder,
        confirm: Callable[[str], bool] | None = None,
    ) -> None:
        super().__init__(session)
        self.widget, self.ui = loadUi("RoundsWidget")
        self._table, self._list = RoundTable(), RoundList()
        self.reader = ProjectReader(session, lambda project: partial(self._table.rows, project), self._show)
        self._comparison: RoundComparison | None = None
        self.model = RoundTableModel()
        self.model.showIn(self.ui.table)
        self.ui.table.selectionModel().connect("currentRowChanged(QModelIndex,QModelIndex)", self._showWords)
        self.exportControl = self.addPart(ExportControl(session, self.ui, engine or EnginePython(), chooseFolder))
        self.addPart(ThinningControl(session, self.ui.cleanButton, confirm or slicer.util.confirmOkCancelDisplay))
        onClick(
            (self.ui.useButton, self.useSelected),
            (self.ui.startButton, self.startFromSelected),
            (self.ui.newestButton, self.backToNewest),
            (self.ui.compareButton, self.compare),
        )
        self.listen(
            (session.projectChanged, self._onProjectChanged),
            (session.roundsChanged, self.reader.ask),
            (session.caseChanged, self._showWords),
            (session.caseClosed, self._forgetComparison),
        )
        self._onProjectChanged()

    def enter(self) -> None:
        """Another program may have trained meanwhile."""
        self.reader.ask()

    @property
    def selected(self) -> RoundRow | None:
        return self.model.rowAt(self.ui.table.currentIndex().row())

    # Choosing a round

    def useSelected(self) -> None:
        row, project = self.selected, self._session.project
        if row is not None:
            text = _("The predictions of round {number} are shown now.").format(number=row.number)
            self._choose(lambda: review_round(project, row.number), text)

    def startFromSelected(self) -> None:
        """Go back to the selected round: the next training starts from it."""
        row, project = self.selected, self._session.project
        if row is not None:
            text = _("The next training starts from round {number}. The later rounds stay where they are.")
            self._choose(lambda: train_on_from(project, row.number), text.format(number=row.number))

    def backToNewest(self) -> None:
        """Let the newest round count again."""
        project = self._session.project
        self._choose(lambda: choose_newest(project), _("The newest round counts again."))

    def _choose(self, choose: Callable[[], None], text: str) -> None:
        session, project = self._session, self._session.project

        def chosen(_result: None) -> None:
            if project is not session.project:
                return
            session.say("info", text)
            session.roundsChanged.emit()
            session.casesChanged.emit(None)
            if session.case is not None and not session.case.isModified:
                session.openCase(session.case.id)  # with the prediction of the round that counts now

        session.tasks.run(choose, chosen, session.fail)

    # Comparing

    def compare(self) -> None:
        """Outline what the selected round predicted of the open case, or take that away again."""
        case, row = self._session.case, self.selected
        if self._comparison is not None:
            case.nodes.removeComparison()
            self._forgetComparison()
            return
        reference = self._reference()
        if case is None or row is None or reference is None:
            return
        array, name = reference
        project, geometry = self._session.project, case.data.geometry
        self._session.tasks.run(
            lambda: compareRound(project, case.id, row.number, geometry, array, name),
            lambda found: self._showComparison(case, found),
            self._session.fail,
        )

    def _reference(self):
        """What of the open case another round is compared with, and its name; None when there is nothing."""
        case, row = self._session.case, self.selected
        if case is None or row is None:
            return None
        prediction = case.data.prediction
        if prediction is not None and prediction.round != row.number:
            return prediction.segmentation, _("round {number}").format(number=prediction.round)
        return None if case.data.label is None else (case.data.label, _("your label"))

    def _showComparison(self, case, found: RoundComparison) -> None:
        if case is not self._session.case:
            return
        name = _("round {number}").format(number=found.round)
        case.nodes.addComparison(found.segmentation, name)
        self._comparison = found
        self._showWords()

    def _forgetComparison(self) -> None:
        self._comparison = None
        self._showWords()

    # Showing

    def _onProjectChanged(self) -> None:
        self._table = RoundTable()
        self._comparison = None
        self._show(RoundList())
        self.reader.ask()

    def _show(self, found: RoundList) -> None:
        former = self.selected
        self._list = found
        self.model.setRows(found.rows)
        place = -1 if former is None else self.model.placeOf(former.number)
        if place < 0:
            place = next((place for place, row in enumerate(found.rows) if row.isShown), 0)
        if found.rows:
            self.ui.table.setCurrentIndex(self.model.model.index(place, 0))
        self._showWords()

    def _showWords(self, *_ignored: object) -> None:
        ui, row = self.ui, self.selected
        ui.table.setVisible(bool(self._list.rows))
        ui.roundLabel.text = _("No training yet. The first one makes round 1.") if row is None else describe(row)
        ui.useButton.setEnabled(row is not None and row.summary.predicted > 0 and not row.isShown)
        ui.startButton.setEnabled(row is not None and row.summary.has_model and not row.isStart)
        ui.newestButton.setEnabled(self._list.isChosen)
        comparing = self._comparison is not None
        ui.compareButton.text = _("Hide the comparison") if comparing else _("Compare on the open case")
        ui.compareButton.setEnabled(comparing or (self._reference() is not None and row.summary.predicted > 0))
        ui.comparisonLabel.setVisible(comparing)
        ui.comparisonLabel.text = self._comparison.text if comparing else ""
