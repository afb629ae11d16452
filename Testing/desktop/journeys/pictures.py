"""The pictures of the README and of the tutorial, of the window itself: `make slicer-test ... JOURNEYS=pictures`."""

from __future__ import annotations

import os
import time
from pathlib import Path

from desktop_slicer import DesktopSlicer
from journey import Journey
from journeys.opening import (
    ANNOTATE,
    REVIEW,
    ROUNDS,
    SESSION,
    TRAIN,
    beginTraining,
    finishTraining,
    openModule,
    openNext,
    openProject,
    openSample,
    paintButton,
    waitForTasks,
)

FOLDER = Path(__file__).resolve().parents[3] / "Resources" / "Screenshots"
_MINUTES = 4.0
_QUALITY = 88
_PROJECT = "METASSL_PICTURES_PROJECT"
"""A project with a round, for the picture of the README; without it that picture stays as it is."""


class Pictures(Journey):
    """Goes the way of docs/tutorial.md, and keeps the window at each step."""

    title = "Pictures of the window"

    def stepOpen(self, slicer: DesktopSlicer) -> None:
        """The empty panel"""
        openModule(slicer, self.python)
        time.sleep(3.0)
        self._keep(slicer, "tutorial_1_open")

    def stepSample(self, slicer: DesktopSlicer) -> None:
        """The sample project"""
        openSample(slicer)
        self._keep(slicer, "tutorial_2_project")

    def stepTraining(self, slicer: DesktopSlicer) -> None:
        """In the middle of a training"""
        beginTraining(slicer, _MINUTES)
        slicer.wait(f"{TRAIN}.job.status is not None and {TRAIN}.job.status.step > 20", 300, "some steps")
        time.sleep(20.0)
        slicer.ask(f"bringIntoView({TRAIN}.widget)")
        self._keep(slicer, "tutorial_3_training")
        finishTraining(slicer)

    def stepNext(self, slicer: DesktopSlicer) -> None:
        """The training has ended"""
        time.sleep(2.0)
        self._keep(slicer, "tutorial_4_next")

    def stepReview(self, slicer: DesktopSlicer) -> None:
        """The next case, at its first place"""
        openNext(slicer, scroll=False)
        slicer.key("n")
        self._lookAtPlace(slicer)
        self._keep(slicer, "tutorial_5_review")

    def stepUncertainty(self, slicer: DesktopSlicer) -> None:
        """The uncertainty over the image and on the surface"""
        self._showUncertainty(slicer)
        self._keep(slicer, "tutorial_6_uncertainty")
        slicer.ask(f"{REVIEW}.ui.modeCombo.setCurrentIndex(0); {REVIEW}.surfaceControl.combo.setCurrentIndex(0)")

    def stepCorrect(self, slicer: DesktopSlicer) -> None:
        """Correcting"""
        slicer.key("c")
        slicer.wait(f"{SESSION}.case.isEditing")
        slicer.click(paintButton("Paint"), scroll=True)
        self._lookAtPlace(slicer)
        self._keep(slicer, "tutorial_7_correct")

    def stepRounds(self, slicer: DesktopSlicer) -> None:
        """The label is saved; the rounds"""
        slicer.ask(f"{REVIEW}.ui.goOnCheck.checked = False")
        slicer.click(f"{ANNOTATE}.ui.saveButton", scroll=True)
        waitForTasks(slicer)
        slicer.ask(f"{SESSION}.closeCase()")
        slicer.ask(f"bringIntoView({ROUNDS}.widget)")
        time.sleep(1.0)
        self._keep(slicer, "tutorial_8_rounds")

    def stepReal(self, slicer: DesktopSlicer) -> str:
        """A case of real images, for the README"""
        folder = os.environ.get(_PROJECT)
        if not folder:
            return f"left out: {_PROJECT} names no project"
        openProject(slicer, folder)
        openNext(slicer)
        slicer.key("n")
        self._lookAtPlace(slicer)
        self._keep(slicer, "window")
        self._showUncertainty(slicer)
        self._keep(slicer, "window_uncertainty")
        return folder

    def stepQuit(self, slicer: DesktopSlicer) -> None:
        """Slicer ends"""
        slicer.quit()

    @staticmethod
    def _showUncertainty(slicer: DesktopSlicer) -> None:
        slicer.ask(f"{REVIEW}.ui.modeCombo.setCurrentIndex(1); {REVIEW}.surfaceControl.combo.setCurrentIndex(1)")
        waitForTasks(slicer)
        time.sleep(1.5)

    @staticmethod
    def _lookAtPlace(slicer: DesktopSlicer) -> None:
        """The mouse lies on the place, so that the panel says what is there."""
        slicer.moveTo(slicer.value(f"rasSpot(list({REVIEW}.navigator.current.ras), 'Red')"))
        time.sleep(1.0)

    @staticmethod
    def _keep(slicer: DesktopSlicer, name: str) -> None:
        from PIL import Image

        FOLDER.mkdir(exist_ok=True)

        path = slicer.folder / f"{name}.png"
        slicer.picture(path)
        Image.open(path).convert("RGB").save(FOLDER / f"{name}.jpg", quality=_QUALITY, subsampling=0, optimize=True)
