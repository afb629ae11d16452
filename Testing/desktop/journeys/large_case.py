"""A case as large as a CT of the body: seconds for a person, and how long the event loop stands still."""

from __future__ import annotations

import time

from desktop_slicer import DesktopSlicer
from journey import Journey
from journeys.opening import (
    ANNOTATE,
    REVIEW,
    SESSION,
    makeProject,
    openModule,
    openProject,
    paintButton,
    waitForTasks,
)

_SHAPE_ZYX, _SPACING = (300, 512, 512), (0.78, 0.78, 1.5)


class LargeCase(Journey):
    """512 x 512 x 300 voxels with a prediction."""

    title = "A case of 512 x 512 x 300 voxels"

    def stepMake(self, slicer: DesktopSlicer) -> None:
        """Two made-up cases with predictions"""
        openModule(slicer)
        openProject(slicer, makeProject(slicer, "large", f"{_SHAPE_ZYX}, {_SPACING}"))

    def stepOpen(self, slicer: DesktopSlicer) -> str:
        """It opens"""

        def shown() -> None:
            slicer.wait(f"{SESSION}.case is not None", 120, "the case")

        return self._timed(slicer, lambda: slicer.ask(f"{SESSION}.openCase('case_0')"), shown)

    def stepPlaces(self, slicer: DesktopSlicer) -> str:
        """Its places are found"""
        return self._timed(slicer, lambda: None, lambda: slicer.wait(f"{REVIEW}.navigator.places", 120, "the places"))

    def stepSurface(self, slicer: DesktopSlicer) -> str:
        """Its surface is in the 3-D view"""
        return self._timed(slicer, lambda: None, lambda: waitForTasks(slicer, 120))

    def stepNextPlace(self, slicer: DesktopSlicer) -> str:
        """N shows a place"""
        return self._timed(slicer, lambda: slicer.key("n"), lambda: slicer.wait(f"{REVIEW}.navigator.index == 0", 20))

    def stepCorrect(self, slicer: DesktopSlicer) -> str:
        """C begins editing"""
        return self._timed(slicer, lambda: slicer.key("c"), lambda: slicer.wait(f"{SESSION}.case.isEditing", 60))

    def stepFirstStroke(self, slicer: DesktopSlicer) -> str:
        """The first stroke"""
        slicer.click(paintButton("Paint"), scroll=True)
        slicer.wait(f"{ANNOTATE}.editor.activeEffect() is not None", 20, "the effect Paint")
        return self._stroke(slicer, 0.0)

    def stepSecondStroke(self, slicer: DesktopSlicer) -> str:
        """A second stroke, while the first is kept"""
        return self._stroke(slicer, 10.0)

    def stepSave(self, slicer: DesktopSlicer) -> str:
        """The label is saved"""
        slicer.ask(f"{REVIEW}.ui.goOnCheck.checked = False")

        def saved() -> None:
            slicer.wait(f"{SESSION}.project.case('case_0').is_labelled", 120, "the label")

        return self._timed(slicer, lambda: slicer.key("ctrl+Return"), saved)

    def stepQuit(self, slicer: DesktopSlicer) -> None:
        """Slicer ends without a crash"""
        waitForTasks(slicer)
        slicer.quit()

    def _stroke(self, slicer: DesktopSlicer, shift: float) -> str:
        x, y, z = slicer.value(f"list({REVIEW}.navigator.current.ras)")
        points = [slicer.value(f"rasSpot({[x + dx + shift, y + 6, z]}, 'Red')") for dx in (-6, 6)]
        revision = slicer.value(f"{SESSION}.case.autosave.revision")

        def noticed() -> None:
            slicer.wait(f"{SESSION}.case.autosave.revision > {revision}", 60, "the stroke")

        return self._timed(slicer, lambda: slicer.drag(points), noticed)

    @staticmethod
    def _timed(slicer: DesktopSlicer, act, done) -> str:
        """How long it took until it was done, and the longest stop of the event loop until half a second later."""
        slicer.value("longestStop()")
        began = time.monotonic()
        act()
        done()
        seconds = time.monotonic() - began
        time.sleep(0.5)
        stop = slicer.value("longestStop()")
        return f"{seconds:.2f} s, longest stop of the event loop {1000 * stop:.0f} ms"
