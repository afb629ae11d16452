"""The section "Review" on the screen, with a session of its own and what it said."""

from __future__ import annotations

import qt
from MetaSSLSlicerLib.Logic.Case.Session import Session
from MetaSSLSlicerLib.Logic.Scene.BackgroundTasks import BackgroundTasks
from MetaSSLSlicerLib.Widgets.ReviewWidget import ReviewWidget


class ReviewDesk:
    """`cases`: the ids of the unlabelled ones."""

    def __init__(self, harness, project):
        self.cases = [case.id for case in project.unlabelled_cases()]
        self.session, self.messages = Session(harness.services, BackgroundTasks()), []
        self.session.said.connect(self.messages.append)
        self.review = ReviewWidget(self.session)
        self.panel = qt.QWidget()
        qt.QVBoxLayout(self.panel).addWidget(self.review.widget)
        self.panel.show()
        self.session.openProject(project.path)

    def open(self, number: int = 0):
        """The case with this number, once it is in the scene."""
        self.session.openCase(self.cases[number])
        self.session.tasks.finish()
        assert self.session.case is not None, self.messages
        return self.session.case

    def close(self):
        """Leave nothing behind."""
        self.session.shutdown()
        self.review.cleanup()
        self.panel.hide()
