"""Opens a case as a user does, and returns when it is in the scene."""

from __future__ import annotations


def opened(session, caseId: str):
    """The open case of a session whose tasks nobody else pumps."""
    session.openCase(caseId)
    session.tasks.finish()
    assert session.case is not None and session.case.id == caseId, session.messages
    return session.case


def openedInPanel(harness, panel, caseId: str):
    """The open case of a panel, which pumps its tasks itself."""
    panel.session.openCase(caseId)
    harness.wait(lambda: panel.session.case is not None and panel.session.case.id == caseId)
    harness.wait(lambda: not panel.session.tasks.busy)
    return panel.session.case
