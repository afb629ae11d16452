"""Slicer's side of the project, on the real MRML: it opens a case, says what it finds, then draws and saves for ever.

    python -m faults.killed_gui_child PROJECT NOTES RESULT STEP

RESULT gets what the case looked like when it was opened. At the STEPth step of a write the process kills itself; with 0
it waits to be killed from outside.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from MetaSSLPictures.OffscreenSlicer import OffscreenSlicer
from MetaSSLSlicerLib.Logic.Case.Session import Session
from MetaSSLSlicerLib.Logic.Scene.BackgroundTasks import BackgroundTasks
from painting import paintSegment

from .killed_gui_states import CASE, Notes, state
from .killed_worker_cohort import BALL

SAVE_EVERY = 3


def main(project: Path, notes: Notes, result: Path, step: int) -> None:
    session = Session(OffscreenSlicer(64), BackgroundTasks())
    session.said.connect(lambda message: notes.write(message.level, 0))
    session.openProject(project)
    session.openCase(CASE)
    session.tasks.finish()
    np.savez(result.with_suffix(".tmp.npz"), shown=session.case.currentArray(), restored=session.case.isRestored)
    os.replace(result.with_suffix(".tmp.npz"), result)
    if step:
        kill_at(step)
    number = notes.last("drawing")
    while True:
        number += 1
        draw(session, notes, number)
        autosave(session, patiently=number % 2 == 0)
        notes.write("autosaved", number)
        if number % SAVE_EVERY == 0:
            notes.write("saving", number)
            session.writes.saveLabel()
            session.tasks.finish()
            notes.write("saved", number)


def draw(session: Session, notes: Notes, number: int) -> None:
    notes.write("drawing", number)
    case = session.case
    paintSegment(case.nodes.annotationNode, f"Label_{BALL}", state(number) == BALL, case.data.geometry)


def autosave(session: Session, patiently: bool) -> None:
    """At once, or when the hand has rested, as the panel's timer does it."""
    if not patiently:
        session.case.autosave.flush()
    while session.case.autosave.isDirty or session.tasks.busy:
        session.tick()
        session.tasks.pump()
        time.sleep(0.005)


def kill_at(step: int) -> None:
    """From now on count the steps of which writes consist, and end this process before or after the one named."""
    left = [step]

    def counted(call: Callable) -> Callable:
        def step_by_step(*arguments, **options):
            _count(left)
            result = call(*arguments, **options)
            _count(left)
            return result

        return step_by_step

    for name in ("fsync", "replace", "unlink"):
        setattr(os, name, counted(getattr(os, name)))
    Path.unlink = counted(Path.unlink)
    sitk.WriteImage = counted(sitk.WriteImage)


def _count(left: list[int]) -> None:
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Notes(Path(sys.argv[2])), Path(sys.argv[3]), int(sys.argv[4]))
