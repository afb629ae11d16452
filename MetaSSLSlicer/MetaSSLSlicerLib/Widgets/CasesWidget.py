"""The section "Cases": the table of all cases, and the one to look at next."""

from __future__ import annotations

import html
from collections.abc import Callable

import slicer.util
from metassl.project import Project
from metassl.project.cases import ASIDE
from metassl.project.words import plural

from ..Logic.Case.Session import Session
from ..Logic.Engine.EnginePython import EnginePython
from ..Logic.Project.CaseQueue import CaseQueue
from ..Logic.Project.CaseTable import collectorAtRest, readRows
from ..Logic.Project.ProjectReader import ProjectReader
from ..Logic.Project.Ranking import STRATEGIES, Ranking
from ..Translation import _
from .Parts.CaseCells import CaseCells, Cells, naturalKey
from .Parts.CaseTableView import CaseTableView
from .Parts.FinishForm import FinishForm
from .Parts.IntakeForm import IntakeForm
from .Section import Section, chooseFile, chooseFolder, loadUi, onClick, withoutSignals
from .Shortcuts import withKey

_POLL_MS = 200
_LOOK_AGAIN_MS = 2500  # by then the autosave of a case that was edited is written
_NAMED = 4


class CasesWidget(Section):
    """Reads the rows in a task whenever the session says that cases changed.

    `chooseFolder(title, start)` and `chooseFile(title)` ask for a path, "" for none; `confirm(question)` asks before a
    case is set aside.
    """

    def __init__(
        self,
        session: Session,
        engine: EnginePython | None = None,
        chooseFolder: Callable[[str, str], str] = chooseFolder,
        chooseFile: Callable[[str], str] = chooseFile,
        confirm: Callable[[str], bool] | None = None,
    ) -> None:
        super().__init__(session)
        self.widget, self.ui = loadUi("CasesWidget")
        self.ranking = Ranking(session, engine or EnginePython())
        self._cells = CaseCells()
        self.view = self.addPart(CaseTableView(self.ui.table, self._cells))
        self.model = self.view.model
        self.intake = self.addPart(IntakeForm(session, self.ui, chooseFolder, chooseFile))
        self._confirm = confirm or slicer.util.confirmOkCancelDisplay
        self.finish = self.addPart(FinishForm(session, self.ui, self._confirm))
        self._wanted: set[str] | None = set()  # whose rows are to be read; None: all
        self.reader = ProjectReader(session, self._prepareReading, self._onRead)
        self.queue = CaseQueue(session)
        self._touched, self._isNextWanted = "", False
        self._groups = self._fillFilter()
        self._strategies: list[str] = []
        self._pollTimer = self.makeTimer(_POLL_MS, self.ranking.poll)
        self._laterTimer = self.makeTimer(_LOOK_AGAIN_MS, lambda: self._onCasesChanged([self._touched]), once=True)
        self._wordsTimer = self.makeTimer(0, self._showWords, once=True)
        self._columnsTimer = self.makeTimer(0, self.view.showColumns, once=True)  # when it has got its width
        ui = self.ui
        ui.nextButton.text = withKey(_("Next case"), "nextCase")
        onClick(
            (ui.nextButton, self.openNext),
            (ui.openButton, self.openSelected),
            (ui.doneButton, self.setSelectedDone),
            (ui.asideButton, self.setSelectedAside),
        )
        ui.table.selectionModel().connect("currentRowChanged(QModelIndex,QModelIndex)", self._showDone)
        ui.searchBox.connect("textChanged(QString)", lambda _text: self._filter())
        ui.filterCombo.connect("currentIndexChanged(int)", lambda _index: self._filter())
        ui.strategyCombo.connect("currentIndexChanged(int)", self._onStrategyChosen)
        ui.unsavedLabel.connect("linkActivated(QString)", session.openCase)
        ui.casesButton.connect("contentsCollapsed(bool)", lambda _collapsed: self._columnsTimer.start())
        self.listen(
            (session.projectChanged, self._onProjectChanged),
            (session.casesChanged, self._onCasesChanged),
            (session.roundsChanged, self._onCasesChanged),
            (session.caseChanged, self._onCaseChanged),
            (self.model.reordered, self._showCount),
            (self.view.opened, self._open),
            (self.ranking.changed, self._onRankingChanged),
            (self.finish.finish.changed, self._showNext),
        )
        self._onProjectChanged()

    def cleanup(self) -> None:
        super().cleanup()
        self.ranking.close()

    def enter(self) -> None:
        """Another program may have worked on the project meanwhile."""
        super().enter()
        self._columnsTimer.start()
        self._onCasesChanged()

    def goOn(self, caseId: str) -> None:
        """After a case is done: on to the next one of the audit if it was of that, else to the recommended one."""
        self.queue.decided(caseId)
        if self.finish.goesOnAfter(caseId):
            self.finish.openNext(after=caseId)
        else:
            self.openNext()

    def passOn(self, caseId: str) -> bool:
        """Go on from a case without a decision; False, and nothing is done, where it is of the audit: none is passed
        over there."""
        if self.finish.goesOnAfter(caseId):
            return False
        self.openNext()
        return True

    def openNext(self) -> None:
        """Open the recommended case, or say that none is left."""
        found = self._recommended()
        if found is not None:
            if self._session.case is not None:
                self.queue.passed(self._session.case.id)
            self._session.openCase(found[0])
        elif self._session.project is not None and not self.reader.isBusy:
            self._session.say("info", _("No other case is left to look at."))

    def showNext(self):
        """Make "Next case" the button to press, with that case in view in the table, and return it."""
        self._isNextWanted = self.reader.isBusy  # another may come first by then
        self._selectNext()
        button = self.ui.nextButton
        self.ui.casesButton.collapsed = False
        button.setDefault(True)
        button.setFocus()
        return button

    def _selectNext(self) -> None:
        if found := self._recommended():
            self.view.select(found[0])

    def openSelected(self) -> None:
        self._open(self.view.selected)

    def setSelectedAside(self) -> None:
        """Take the selected case out of the project, or bring it back; nothing is deleted."""
        project, caseId = self._session.project, self.view.selected
        if project is None or not caseId:
            return
        undo = self._showsAside
        question = _(
            "Set {case} aside? It takes part in no training, prediction or ranking any more. Nothing is deleted, "
            "and it can come back."
        )
        if not undo and not self._confirm(question.format(case=caseId)):
            return
        if not undo and caseId in (self._session.loadingCase, self._session.case and self._session.case.id):
            self._session.closeCase()
        text = _("{case} is back.") if undo else _("{case} is set aside.")
        self._session.tasks.run(
            lambda: project.set_aside([caseId], undo=undo),
            lambda _changed: self._onChanged(project, caseId, text.format(case=caseId)),
            self._session.fail,
        )

    def setSelectedDone(self) -> None:
        """Say that nothing more is to be annotated in the selected case, or take that back."""
        project, caseId = self._session.project, self.view.selected
        if project is None or not caseId:
            return
        undo = self.model.cells[caseId].row.isSaidDone
        said = _("{case} will be predicted and asked about again.") if undo else _("{case} is done.")

        def told(changed: list[str]) -> None:
            text = said if changed else _("All of {case} is annotated.")
            self._onChanged(project, caseId, text.format(case=caseId))

        self._session.tasks.run(lambda: project.set_done([caseId], undo=undo), told, self._session.fail)

    def _onChanged(self, project: Project, caseId: str, text: str) -> None:
        if project is self._session.project:
            self._session.say("info", text)
            self._session.casesChanged.emit([caseId])

    @property
    def _showsAside(self) -> bool:
        return self._groups[max(self.ui.filterCombo.currentIndex, 0)] == ASIDE

    # What happens elsewhere

    def _onProjectChanged(self) -> None:
        self.model.setCells([], [])
        self.intake.close()
        self.ranking.close()
        self._wanted = set()
        if self._session.project is not None:
            self._showStrategy()
            self._onCasesChanged()
        self._showWords()

    def _onCasesChanged(self, caseIds: list[str] | None = None) -> None:
        if caseIds is None:
            self._wanted = None
        elif self._wanted is not None:
            self._wanted.update(filter(None, caseIds))
        self.reader.ask()

    def _onCaseChanged(self) -> None:
        """Another case is open, or the open one was edited: its autosave may come or go in a moment."""
        case = self._session.case
        current = case.id if case is not None else self._session.loadingCase or ""
        self.model.emphasise(current)
        if self._touched != current:
            self.view.select(current)
            self._onCasesChanged([self._touched])
        self._touched = current or self._touched
        self._laterTimer.start()
        self._showNext()

    def _onRankingChanged(self) -> None:
        if self.ranking.isBusy:
            self._pollTimer.start()
        else:
            self._pollTimer.stop()
        self._showStrategy()
        self._showNext()

    # Reading

    def _prepareReading(self, project: Project) -> Callable[[], tuple] | None:
        if self._wanted == set():
            return None
        wanted, self._wanted = self._wanted, set()
        settled = self.queue.settled(wanted)

        def read() -> tuple[list[str] | None, list[Cells], set[str]]:
            with collectorAtRest():
                rows = sorted(readRows(project, wanted), key=lambda row: naturalKey(row.id))
                changed = self.model.differing(self._cells.of(row) for row in rows)
                return [row.id for row in rows] if wanted is None else None, changed, settled

        return read

    def _onRead(self, found: tuple[list[str] | None, list[Cells], set[str]]) -> None:
        caseIds, changed, settled = found
        self.queue.arrived(settled)
        if caseIds is None:
            self.model.updateCells(changed)
        else:
            self.model.setCells(caseIds, changed)
        self._wordsTimer.start()

    # Showing

    def _fillFilter(self) -> list[str]:
        groups = {
            "": _("All cases"),
            "todo": _("Without a label"),
            "review": _("To review"),
            "done": _("Done"),
            "unseen": _("Accepted unseen"),
            "unfinished": _("Unfinished work"),
            "failed": _("Could not be used"),
            "held": _("Validation and test"),
            ASIDE: _("Set aside"),
        }
        for text in groups.values():
            self.ui.filterCombo.addItem(text)
        return list(groups)

    def _filter(self) -> None:
        self.model.setFilter(self._groups[max(self.ui.filterCombo.currentIndex, 0)], self.ui.searchBox.text)
        self.ui.asideButton.text = _("Bring back") if self._showsAside else _("Set aside")

    def _showDone(self, *_ignored: object) -> None:
        cells, button = self.model.cells.get(self.view.selected), self.ui.doneButton
        said = cells is not None and cells.row.isSaidDone
        button.text = _("Not done") if said else _("Done")
        button.toolTip = (
            _("Take back that the selected case is done: it will be predicted and asked about again.")
            if said
            else _(
                "Of the selected case a part is annotated, and the rest stays without: it is not asked about again. "
                "What is annotated stays. For such cases only, and it can be taken back."
            )
        )
        button.setEnabled(said or (cells is not None and cells.row.isPartial))

    def _showWords(self) -> None:
        if self._isNextWanted and not self.reader.isBusy:
            self._isNextWanted = False
            self._selectNext()
        self._showNext()
        self._showDone()
        self._showCount()
        unsaved = [each.row.id for each in self.model.cells.values() if each.row.autosaved]
        self.ui.unsavedLabel.setVisible(bool(unsaved))
        links = ", ".join(f'<a href="{html.escape(each)}">{html.escape(each)}</a>' for each in unsaved[:_NAMED])
        more = len(unsaved) - _NAMED
        if more > 0:
            links = _("{cases} and {count} more").format(cases=links, count=more)
        self.ui.unsavedLabel.text = _("Unsaved work is kept in {cases}.").format(cases=links)

    def _showCount(self) -> None:
        shown, groups = len(self.model.order), self.model.countOf()
        count = len(self.model.cells) - groups[ASIDE]
        parts = [plural(count, _("1 case"), _("{count} cases"))]
        for text, number in (
            (_("{count} labelled"), groups["done"]),
            (_("{count} partly done"), groups["partly"]),
            (_("{count} accepted unseen"), groups["unseen"]),
            (_("{count} to review"), groups["review"]),
            (_("{count} set aside"), groups[ASIDE]),
        ):
            if number:
                parts.append(text.format(count=number))
        if shown != count or self._showsAside:
            parts.append(_("{count} shown").format(count=shown))
        self.ui.countLabel.text = ", ".join(parts)

    def _showNext(self) -> None:
        found = self._recommended()
        self._readAhead("" if found is None else found[0])
        self.ui.nextButton.setEnabled(found is not None)
        if self.ranking.isBusy:
            text = _("The cases are being ranked again ...")
        elif found is not None:
            text = _("{case}: {reason}").format(case=found[0], reason=found[1])
        elif self.reader.isBusy:
            text = _("Reading the list of cases ...")
        else:
            text = _("No case is left to look at.") if self.model.cells else _("This project has no case yet.")
        self.ui.nextLabel.text = text.replace(" %", "\u00a0%")

    def _readAhead(self, recommended: str) -> None:
        case = self._session.case
        self._session.ahead.want((self.finish.nextAfter(case.id) if case is not None else "") or recommended)

    def _recommended(self):
        return self.queue.next([each.row for each in self.model.cells.values()], self._wanted or ())

    def _open(self, caseId: str) -> None:
        if caseId:
            self._session.openCase(caseId)

    # The ranking

    def _showStrategy(self) -> None:
        if self._session.project is None:
            return
        chosen = self.ranking.strategy
        names = dict(STRATEGIES())
        names.setdefault(chosen, chosen)
        combo = self.ui.strategyCombo
        with withoutSignals(combo):
            if self._strategies != list(names):
                combo.clear()
                self._strategies = list(names)
                for text in names.values():
                    combo.addItem(text)
            combo.setCurrentIndex(self._strategies.index(chosen))
        combo.setEnabled(not self.ranking.isBusy)

    def _onStrategyChosen(self, index: int) -> None:
        if 0 <= index < len(self._strategies):
            self.ranking.choose(self._strategies[index])
