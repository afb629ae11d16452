"""The whole loop with mouse and keys: what the tutorial shows, and a crash in the middle of it."""

from __future__ import annotations

import time

from desktop_slicer import DesktopSlicer
from journey import Journey
from journeys.opening import (
    ANNOTATE,
    PROJECT,
    REVIEW,
    ROUNDS,
    SESSION,
    beginTraining,
    drawnVoxels,
    finishTraining,
    openModule,
    openNext,
    openSample,
    paintButton,
    waitForTasks,
)

_MINUTES = 0.3
_STROKE_MM = 8.0
_APART_PX = 14


class WholeLoop(Journey):
    """Sample project, two rounds, a crash with unsaved strokes."""

    title = "The whole loop"

    def stepOpen(self, slicer: DesktopSlicer) -> None:
        """The module opens"""
        openModule(slicer, self.python)

    def stepSample(self, slicer: DesktopSlicer) -> str:
        """Try a sample"""
        count = openSample(slicer)
        assert count == 24, count
        return f"{count} cases"

    def stepTrain(self, slicer: DesktopSlicer) -> str:
        """Train"""
        return self._train(slicer, round_=1)

    def stepNext(self, slicer: DesktopSlicer) -> str:
        """Next case"""
        self._case = openNext(slicer)
        return self._case

    def stepPlace(self, slicer: DesktopSlicer) -> str:
        """N shows the first place, in the middle of all slice views"""
        slicer.key("n")
        slicer.wait(f"{REVIEW}.navigator.index == 0", 5, "the first place")
        ras = slicer.value(f"list({REVIEW}.navigator.current.ras)")
        for view in ("Red", "Green", "Yellow"):
            point = slicer.value(f"rasSpot({ras}, {view!r})")
            middle = slicer.value(f"spot(sliceView({view!r}))")
            far = max(abs(a - b) for a, b in zip(point, middle, strict=True))
            assert far <= 2, f"in {view} the place is {far} pixels away from the middle"
        return slicer.value(f"{REVIEW}.navigator.currentText")

    def stepMark(self, slicer: DesktopSlicer) -> str:
        """A click on a mark in the 3-D view goes to its place"""
        spots = slicer.value(f"[rasSpot3d(place.ras) for place in {REVIEW}.navigator.places[:10]]")
        alone = [
            index
            for index, spot in enumerate(spots)
            if index
            and all(
                max(abs(a - b) for a, b in zip(spot, other, strict=True)) > _APART_PX
                for other in spots
                if other is not spot
            )
        ]
        assert alone, f"no mark lies apart from the others: {spots}"
        slicer.moveTo(spots[alone[0]])
        slicer.clickAt(spots[alone[0]])
        slicer.wait(f"{REVIEW}.navigator.index == {alone[0]}", 5, f"place {alone[0] + 1}")
        slicer.click(f"{REVIEW}.ui.spotsList.viewport()", 20, 8)
        slicer.wait(f"{REVIEW}.navigator.index == 0", 5, "the first place")
        return f"place {alone[0] + 1}"

    def stepUnderMouse(self, slicer: DesktopSlicer) -> str:
        """A line says what is under the mouse"""
        slicer.moveTo(slicer.value(f"rasSpot(list({REVIEW}.navigator.current.ras))"))
        return slicer.wait(f"{REVIEW}.ui.mouseLabel.text", 5, "the line")

    def stepCorrect(self, slicer: DesktopSlicer) -> str:
        """C brings the segment editor into view, with the four actions"""
        slicer.key("c")
        slicer.wait(f"{SESSION}.case.isEditing", 10, "editing to begin")
        slicer.wait(f"seen({ANNOTATE}.editor)", 5, "the whole editor to be in view")
        for action in ("accept", "correct", "confident", "reject"):
            assert slicer.value(f"seen({REVIEW}.ui.{action}Button)"), f"{action}Button is out of view"
        return f"editor {slicer.value(f'{ANNOTATE}.editor.height')} px"

    def stepPaint(self, slicer: DesktopSlicer) -> str:
        """Paint with the mouse"""
        before = drawnVoxels(slicer)
        slicer.click(paintButton("Paint"), scroll=True)
        slicer.wait(f"{ANNOTATE}.editor.activeEffect() is not None", 5, "the effect Paint")
        x, y, z = slicer.value(f"list({REVIEW}.navigator.current.ras)")
        points = [
            slicer.value(f"rasSpot({[x + dx, y + dy, z]}, 'Red')")
            for dx, dy in ((-_STROKE_MM, -_STROKE_MM), (_STROKE_MM, 0), (0, _STROKE_MM))
        ]
        slicer.drag(points)
        slicer.wait(f"{SESSION}.case.isModified", 20, "the stroke to be noticed")
        self._drawn = drawnVoxels(slicer)
        assert self._drawn != before, f"{before} voxels before and after"
        return f"{before} -> {self._drawn} voxels"

    def stepKill(self, slicer: DesktopSlicer) -> None:
        """Slicer is killed with unsaved strokes, and started again"""
        time.sleep(2.0)
        waitForTasks(slicer)
        slicer.kill()
        openModule(slicer)

    def stepBack(self, slicer: DesktopSlicer) -> str:
        """The strokes are back"""
        slicer.clickAt(slicer.value(f"rowSpot({PROJECT}.ui.recentList, 0)"))
        slicer.wait(f"{SESSION}.project is not None", what="the project")
        waitForTasks(slicer)
        slicer.ask(f"{SESSION}.openCase({self._case!r})")
        slicer.wait(f"{SESSION}.case is not None and {SESSION}.case.isEditing", what="the case in work")
        drawn = drawnVoxels(slicer)
        assert drawn == self._drawn, f"{drawn} voxels instead of {self._drawn}"
        return f"{drawn} voxels"

    def stepSave(self, slicer: DesktopSlicer) -> None:
        """Save the label with Ctrl+Return"""
        slicer.ask(f"{REVIEW}.ui.goOnCheck.checked = False")
        slicer.key("ctrl+Return")
        slicer.wait(f"{SESSION}.project.case({self._case!r}).is_labelled", 20, "the label")
        waitForTasks(slicer)

    def stepAccept(self, slicer: DesktopSlicer) -> str:
        """The next case is accepted with Shift+A"""
        slicer.key("ctrl+shift+n")
        case = slicer.wait(
            f"{SESSION}.case is not None and {SESSION}.case.id != {self._case!r} and {SESSION}.case.id", what="a case"
        )
        waitForTasks(slicer)
        slicer.key("shift+a")
        slicer.wait(f"{SESSION}.project.case({case!r}).state == 'accepted'", 20, "the case to be accepted")
        waitForTasks(slicer)
        return case

    def stepSecondRound(self, slicer: DesktopSlicer) -> str:
        """A second round, from the first"""
        slicer.ask(f"{SESSION}.closeCase()")
        return self._train(slicer, round_=2)

    def stepRounds(self, slicer: DesktopSlicer) -> str:
        """The table of rounds has both"""
        slicer.ask(f"bringIntoView({ROUNDS}.ui.table)")
        rows = slicer.wait(f"{ROUNDS}.ui.table.model().rowCount()", what="the table of rounds")
        assert rows == 2, rows
        return f"{rows} rounds"

    def stepQuit(self, slicer: DesktopSlicer) -> None:
        """Slicer ends without a crash"""
        slicer.quit()

    @staticmethod
    def _train(slicer: DesktopSlicer, round_: int) -> str:
        slicer.value("longestStop()")
        beginTraining(slicer, _MINUTES)
        finishTraining(slicer, round_)
        predicted = slicer.value(f"len({SESSION}.project.predictions())")
        stop = slicer.value("longestStop()")
        return f"round {round_}, {predicted} cases predicted, longest stop of the event loop {1000 * stop:.0f} ms"
