"""What several journeys begin with."""

from __future__ import annotations

from pathlib import Path

from desktop_slicer import DesktopSlicer

PANEL = "panel()"
REVIEW, ANNOTATE, TRAIN = (f"{PANEL}.{name}Widget" for name in ("review", "annotate", "train"))
CASES, PROJECT, ROUNDS = (f"{PANEL}.{name}Widget" for name in ("cases", "project", "rounds"))
SESSION = f"{PANEL}.session"

_TRAINING_S = 900.0


def openModule(slicer: DesktopSlicer, python: str = "") -> None:
    """Start Slicer and open our module; train with `python` unless it is empty."""
    slicer.start()
    if python:
        slicer.ask(f'qt.QSettings().setValue("MetaSSL/python", {python!r})')
    slicer.ask('slicer.util.selectModule("MetaSSLSlicer")')
    slicer.wait(f"{PANEL} is not None and {PANEL}.widget.isVisible()", what="the panel")


def waitForTasks(slicer: DesktopSlicer, seconds: float = 60.0) -> None:
    """Wait until nothing is read or written any more."""
    slicer.wait(f"not {SESSION}.tasks.busy", seconds, "the tasks to end")


def openCase(slicer: DesktopSlicer, case: str) -> None:
    """Open a case by a double click in the table of cases, or by the session where the table is folded away."""
    slicer.ask(f"{SESSION}.openCase({case!r})")
    slicer.wait(f"{SESSION}.case is not None and {SESSION}.case.id == {case!r}", what=f"{case} to open")
    waitForTasks(slicer)


def drawnVoxels(slicer: DesktopSlicer) -> int:
    """How many voxels the segmentation that is edited has, all segments together."""
    return slicer.ask(
        f"""
import numpy as np
array = {SESSION}.case.takeSnapshot().toArray()
answer = int(((array > 0) & (array < 255)).sum())
"""
    )


def paintButton(name: str) -> str:
    """The button of an effect of the segment editor."""
    return f'next(b for b in {ANNOTATE}.editor.findChildren("QAbstractButton") if b.isVisible() and b.text == {name!r})'


def makeProject(slicer: DesktopSlicer, name: str, arguments: str, maker: str = "makeProject") -> str:
    """Write a project of cases with predictions, and return its folder; see made_up for makers and their arguments."""
    folder = str(slicer.folder / name)
    slicer.ask(
        f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
import made_up
made_up.{maker}(Path({folder!r}), {arguments})
""",
        seconds=600,
    )
    return folder


def openProject(slicer: DesktopSlicer, folder: str) -> None:
    """Open a project that lies in a folder."""
    slicer.ask(f"from pathlib import Path\n{PROJECT}.openProject(Path({folder!r}))")
    slicer.wait(f"{SESSION}.project is not None and str({SESSION}.project.path) == {folder!r}", what="the project")
    waitForTasks(slicer)


def openSample(slicer: DesktopSlicer) -> int:
    """Click on "Try a sample", and wait until its cases are listed; how many there are."""
    slicer.click(f"{PROJECT}.ui.sampleButton", scroll=True)
    slicer.wait(f"{SESSION}.project is not None", 120, "the sample project")
    waitForTasks(slicer)
    return slicer.wait(f"len({CASES}.model.order)", what="the table of cases")


def openNext(slicer: DesktopSlicer, scroll: bool = True) -> str:
    """Click on "Next case" in the section Cases, and wait until its places are found; the case's id."""
    slicer.click(f"{CASES}.ui.nextButton", scroll=scroll)
    case = slicer.wait(f"{SESSION}.case is not None and {SESSION}.case.id", what="the next case")
    waitForTasks(slicer)
    slicer.wait(f"{REVIEW}.navigator.places", what="the places")
    return case


def beginTraining(slicer: DesktopSlicer, minutes: float) -> None:
    """Click on "Train"."""
    slicer.ask(f"{TRAIN}.ui.minutesSpinBox.value = {minutes}")
    slicer.wait(f"{TRAIN}.ui.trainButton.enabled", 30, "the button Train")
    slicer.click(f"{TRAIN}.ui.trainButton", scroll=True)
    slicer.wait(f"{TRAIN}.job.isRunning", 60, "the training to begin")


def finishTraining(slicer: DesktopSlicer, number: int = 1) -> None:
    """Wait until the training of this round has ended as it should."""
    state = slicer.wait(
        f"not {TRAIN}.job.isStarting and {TRAIN}.job.round.number == {number}"
        f" and {TRAIN}.job.status is not None and {TRAIN}.job.status.is_over and {TRAIN}.job.status.state",
        _TRAINING_S,
        "the training to end",
    )
    assert state == "finished", slicer.value(f"{TRAIN}.job.lastLog(4000)")
    waitForTasks(slicer)
