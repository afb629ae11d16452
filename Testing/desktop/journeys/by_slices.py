"""A cohort by keys: slices that are worth it, the audit, and the rest accepted."""

from __future__ import annotations

import time

from desktop_slicer import DesktopSlicer
from journey import Journey
from journeys.opening import (
    ANNOTATE,
    CASES,
    REVIEW,
    SESSION,
    drawnVoxels,
    makeProject,
    openCase,
    openModule,
    openProject,
    paintButton,
    waitForTasks,
)

_CASES = 7
_MADE_UP = f"(36, 50, 35), (1.0, 1.0, 1.0), {_CASES}"
_SLICES, _LABEL = f"{REVIEW}.slices", f"{REVIEW}.sliceControl.label.text"
_FINISH = f"{CASES}.ui.finishLabel.text"


class BySlices(Journey):
    """Made-up hippocampi with predictions, and the work that these are expected to make."""

    title = "By slices to the end"

    def stepOpen(self, slicer: DesktopSlicer) -> None:
        """A predicted case opens with Ctrl+Shift+N"""
        openModule(slicer)
        openProject(slicer, makeProject(slicer, "by_slices", _MADE_UP))
        self._case = self._openNext(slicer)

    def stepNextSlice(self, slicer: DesktopSlicer) -> str:
        """M shows the slice that is most costly, and M again the next one"""
        slicer.wait(f"{_SLICES}.plan is not None", 20, "the slices")
        waiting = slicer.value(f"{_SLICES}.left")
        for number in waiting[:2]:
            slicer.key("m")
            slicer.wait(f"{_SLICES}.current == {number}", 5, f"slice {number}")
            shown = slicer.value(f"{_SLICES}._shown({_SLICES}.plan)")
            assert shown == number, f"the view shows slice {shown}, not {number}"
            assert slicer.value(f"seen({REVIEW}.sliceControl.label)"), "what is said of it is out of view"
        assert slicer.value(f"{_SLICES}.left") == waiting[2:]
        self._slices = waiting[:2]
        return slicer.value(_LABEL)

    def stepCorrect(self, slicer: DesktopSlicer) -> str:
        """C, and a stroke in that slice"""
        slicer.key("c")
        slicer.wait(f"{SESSION}.case.isEditing", 10, "editing to begin")
        before = drawnVoxels(slicer)
        slicer.click(paintButton("Paint"), scroll=True)
        slicer.wait(f"{ANNOTATE}.editor.activeEffect() is not None", 5, "the effect Paint")
        x, y = slicer.value("spot(sliceView('Red'))")
        slicer.drag([[x - 30, y - 30], [x + 30, y - 30], [x + 30, y + 20]])
        slicer.wait(f"{SESSION}.case.isModified", 10, "the stroke to be noticed")
        return f"{before} -> {drawnVoxels(slicer)} voxels"

    def stepTake(self, slicer: DesktopSlicer) -> str:
        """Shift+M takes these slices into the label, and the next case is there"""
        slicer.key("shift+m")
        self._waitForAnother(slicer, self._case)
        told = slicer.wait(
            f"{self._case!r} in panel().banner.label.text and panel().banner.label.text", 10, "what was taken"
        )
        assert "2 slices more, 1 of them corrected" in told, told
        slicer.wait(f"'1 partly done' in {CASES}.ui.countLabel.text", 10, "the count of cases")
        return told

    def stepTakeBack(self, slicer: DesktopSlicer) -> None:
        """ "Take that back": nothing is left of it"""
        slicer.click("panel().banner.actionButton", scroll=True)
        slicer.wait(f"{SESSION}.project.case({self._case!r}).state == 'predicted'", 10, "the state of before")
        waitForTasks(slicer)
        assert not slicer.value(f"{SESSION}.project.case({self._case!r}).is_labelled")

    def stepAgain(self, slicer: DesktopSlicer) -> str:
        """The slices as they were predicted are taken; opened again the case tells which ones are known"""
        openCase(slicer, self._case)
        slicer.wait(f"{_SLICES}.plan is not None", 20, "the slices")
        slicer.key("m")
        slicer.key("m")
        slicer.key("shift+m")
        self._waitForAnother(slicer, self._case)
        openCase(slicer, self._case)
        slicer.wait(f"{_SLICES}.plan is not None", 20, "the slices")
        assert slicer.value(f"{_SLICES}.plan.done") == sorted(self._slices)
        slicer.key("m")
        assert slicer.value(f"{_SLICES}.current") not in self._slices
        return slicer.value(_LABEL)

    def stepWork(self, slicer: DesktopSlicer) -> str:
        """The table says how long somebody worked on the case"""
        slicer.ask(f"{SESSION}.closeCase()")
        waitForTasks(slicer)
        text = slicer.ask(
            f"""
model = {CASES}.ui.table.model()
column = next(c for c in range(model.columnCount()) if model.headerData(c, qt.Qt.Horizontal) == "Work")
answer = model.data(model.index({CASES}.model.placeOf({self._case!r}), column))
"""
        )
        assert text and not text.startswith("\u2248"), text
        return text

    def stepAudit(self, slicer: DesktopSlicer) -> str:
        """Finish: Ctrl+Shift+J opens a case of the audit, Shift+A accepts it and brings the next one of it"""
        slicer.click(f"{CASES}.ui.finishToggle", scroll=True)
        slicer.wait(f"{CASES}.finish.finish.standing is not None", 20, "where the project stands")
        slicer.key("ctrl+shift+j")
        case = slicer.wait(f"{SESSION}.case is not None and {SESSION}.case.id", what="a case of the audit")
        waitForTasks(slicer)
        slicer.key("shift+a")
        self._waitForAnother(slicer, case)
        assert slicer.value(f"{SESSION}.case.id == {CASES}.finish.finish.auditing"), "the next one is not of the audit"
        slicer.ask(f"{SESSION}.closeCase()")
        return slicer.wait(f"'drawn at random' in {_FINISH} and {_FINISH}", 10, "what the audit says")

    def stepRest(self, slicer: DesktopSlicer) -> str:
        """The rest is accepted unseen, after a question"""
        waitForTasks(slicer)
        self._pressAcceptRest(slicer)
        return slicer.wait(f"'accepted unseen' in {CASES}.ui.countLabel.text and {CASES}.ui.countLabel.text", 20)

    def stepRestBack(self, slicer: DesktopSlicer) -> str:
        """Take back: they wait to be reviewed again"""
        slicer.click(f"{CASES}.ui.takeBackButton", scroll=True)
        return slicer.wait(f"'unseen' not in {CASES}.ui.countLabel.text and {CASES}.ui.countLabel.text", 20)

    def stepQuit(self, slicer: DesktopSlicer) -> None:
        """Slicer ends without a crash"""
        waitForTasks(slicer)
        slicer.quit()

    @staticmethod
    def _openNext(slicer: DesktopSlicer) -> str:
        slicer.key("ctrl+shift+n")
        case = slicer.wait(f"{SESSION}.case is not None and {SESSION}.case.id", what="the next case")
        waitForTasks(slicer)
        return case

    @staticmethod
    def _waitForAnother(slicer: DesktopSlicer, case: str) -> None:
        slicer.wait(f"{SESSION}.case is not None and {SESSION}.case.id != {case!r}", 20, "the next case")
        waitForTasks(slicer)

    @staticmethod
    def _pressAcceptRest(slicer: DesktopSlicer) -> None:
        slicer.ask(f"bringIntoView({CASES}.ui.acceptRestButton)")
        slicer.clickAt(slicer.value(f"spot({CASES}.ui.acceptRestButton)"))
        slicer.wait("qt.QApplication.activeModalWidget() is not None", 10, "the question")
        time.sleep(0.3)
        slicer.key("Return")
