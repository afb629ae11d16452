"""Reading something of the open project again and again: one reading at a time, and another if asked meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from metassl.project import Project

from ..Case.Session import Session


class ProjectReader:
    """`prepare(project)` gives what to call in a task, or None for nothing; `arrived(result)` takes what it returned.

    What was read of a project that is not open any more is dropped.
    """

    def __init__(
        self,
        session: Session,
        prepare: Callable[[Project], Callable[[], Any] | None],
        arrived: Callable[[Any], None],
    ) -> None:
        self.isBusy = self._isAsked = False
        self._session, self._prepare, self._arrived = session, prepare, arrived

    def ask(self) -> None:
        """Read; once more afterwards, if a reading is under way."""
        self._isAsked = True
        project = self._session.project
        if self.isBusy or project is None:
            return
        self._isAsked = False
        work = self._prepare(project)
        if work is None:
            return
        self.isBusy = True
        self._session.tasks.run(
            work,
            lambda result: self._over(project, self._arrived, result),
            lambda error: self._over(project, self._session.fail, error),
        )

    def _over(self, project: Project, take: Callable[[Any], None], result: Any) -> None:
        self.isBusy = False
        if project is self._session.project:
            take(result)
        if self._isAsked:
            self.ask()
