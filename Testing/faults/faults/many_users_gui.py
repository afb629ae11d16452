"""One of the Slicers that work on the same project: it opens cases, draws, accepts and saves until it is told to stop.

    python -m faults.many_users_gui PROJECT NOTES SEED STOP

NOTES gets a line of JSON for each label that it made, and for each message that its user saw.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from metassl.project import LABELLED_STATES
from MetaSSLPictures.OffscreenSlicer import OffscreenSlicer
from MetaSSLSlicerLib.Logic.Case.Session import Message, Session
from MetaSSLSlicerLib.Logic.Review.ReviewActions import ReviewActions
from MetaSSLSlicerLib.Logic.Scene.BackgroundTasks import BackgroundTasks
from painting import paintSegment

from .killed_gui_states import state
from .killed_worker_cohort import BALL

INSISTS = 0.5  # how often a user whose label was outrun makes his own the label all the same


class User:
    """At random, but a decision is always followed to its end."""

    def __init__(self, project: Path, notes: Path, seed: int) -> None:
        self.notes, self.random = notes, np.random.default_rng(seed)
        self.stroke = 1_000_000 * (seed + 1)  # no two users draw the same
        self.session = Session(OffscreenSlicer(64), BackgroundTasks())
        self.session.said.connect(self.hear)
        self.review = ReviewActions(self.session)
        self.session.openProject(project)
        self.forced = False

    def note(self, **fields) -> None:
        with open(self.notes, "a", encoding="utf-8") as stream:
            stream.write(json.dumps(fields) + "\n")

    def hear(self, message: Message) -> None:
        self.note(level=message.level, text=message.text)
        if "by somebody else" in message.text and message.action and self.random.random() < INSISTS:
            self.forced = True
            message.action()

    def turn(self) -> None:
        """Open a case, do something to it, and save or accept it."""
        ids = [case.id for case in self.session.project.cases.values() if case.split == "pool"]
        self.session.openCase(str(self.random.choice(ids)))
        self.session.tasks.finish()
        case = self.session.case
        before, self.forced = case.data.labelVersion, False
        if case.hasPrediction and not case.isEditing and self.random.random() < 0.3:
            self.review.accept()
        else:
            if not case.isEditing:
                self.review.correct()
            self.stroke += 1
            paintSegment(case.nodes.annotationNode, f"Label_{BALL}", state(self.stroke) == BALL, case.data.geometry)
            case.autosave.flush()
            self.work(self.random.uniform(0, 0.3))
            self.session.writes.saveLabel()
        self.session.tasks.finish()
        after = case.data.labelVersion
        if after != before:
            self.note(case=case.id, former=before, version=after, forced=self.forced)
            assert self.session.project.case(case.id).state in LABELLED_STATES
        else:
            case.discardEdits()  # the other's label is looked at instead
            self.session.tasks.finish()

    def work(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.session.tick()
            self.session.tasks.pump()
            time.sleep(0.01)


def main(project: Path, notes: Path, seed: int, stop: Path) -> None:
    user = User(project, notes, seed)
    while not stop.exists():
        user.turn()
    user.session.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
