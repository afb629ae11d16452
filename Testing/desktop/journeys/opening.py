"""What several journeys begin with."""

from __future__ import annotations

from pathlib import Path

from desktop_slicer import DesktopSlicer

PANEL = "panel()"
REVIEW, ANNOTATE, TRAIN = (f"{PANEL}.{name}Widget" for name in ("review", "annotate", "train"))
CASES, PROJECT, ROUNDS = (f"{PANEL}.{name}Widget" for name in ("cases", "project", "rounds"))
SESSION = f"{PANEL}.session"


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


def makeProject(slicer: DesktopSlicer, name: str, arguments: str) -> str:
    """Write a project of made-up cases, and return its folder; see made_up.makeProject for the arguments."""
    folder = str(slicer.folder / name)
    slicer.ask(
        f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
import made_up
made_up.makeProject(Path({folder!r}), {arguments})
""",
        seconds=600,
    )
    return folder


def openProject(slicer: DesktopSlicer, folder: str) -> None:
    """Open a project that lies in a folder."""
    slicer.ask(f"from pathlib import Path\n{PROJECT}.openProject(Path({folder!r}))")
    slicer.wait(f"{SESSION}.project is not None and str({SESSION}.project.path) == {folder!r}", what="the project")
    waitForTasks(slicer)
