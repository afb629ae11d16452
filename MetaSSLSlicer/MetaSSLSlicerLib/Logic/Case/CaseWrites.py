"""What is still being written of each case, also of those that are closed: nothing is read before it is whole."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future

from metassl.project import Project

from ...Translation import _
from .CaseFiles import CaseData
from .OpenCase import OpenCase


class EmptyLabel(Exception):
    """A label without any structure, which the user has not asked for."""


class CaseWrites:
    """Used on the GUI thread."""

    def __init__(self) -> None:
        self._futures: dict[str, list[Future]] = {}
        self._closed: list[OpenCase] = []

    def add(self, caseId: str, future: Future | None) -> None:
        """A label or an autosave of the case is being written; None: nothing is."""
        if future is None:
            return
        futures = {**self._futures, caseId: [*self._futures.get(caseId, []), future]}
        self._futures = {key: [each for each in others if not each.done()] for key, others in futures.items()}

    def waiter(self, caseId: str) -> Callable[[], None]:
        """What waits, in a task, until all that is being written of the case now is written, or has failed."""
        futures = list(self._futures.get(caseId, []))

        def wait() -> None:
            for future in futures:
                future.exception()

        return wait

    def close(self, case: OpenCase, wait: bool = False) -> None:
        """Close a case. Edits that cannot be written now are kept, and tried again in `tick`; see `OpenCase.close`."""
        self._closed.append(case)
        self.add(case.id, case.close(wait))

    def tick(self, loadingCase: str | None) -> None:
        """Try again to write what could not be written, unless the case is being opened again."""
        for case in self._closed:
            if case.id != loadingCase:
                case.autosave.tick()
                self.add(case.id, case.autosave.pending)
        self._closed = [case for case in self._closed if case.autosave.isDirty or case.autosave.pending is not None]

    def takeUnwritten(self, project: Project, data: CaseData) -> bool:
        """Whether the case was closed with edits that could not be written since; they are `data.autosaved` then."""
        left = [case for case in self._closed if case.id == data.caseId and case.project.path == project.path]
        self._closed = [case for case in self._closed if case not in left]
        unwritten = [case for case in left if case.autosave.isDirty]
        for case in unwritten:
            data.autosaved, data.unknownStructures = case.autosave.snapshot().withUnknownStructures(project.labels)
            data.autosaveTime, data.begunOn = time.time(), case.data.begunOn
        return bool(unwritten)

    def finish(self, failed: Callable[[Exception], None]) -> None:
        """The last try to write what closed cases hold, in their project or else outside it, before this returns."""
        for case in self._closed:
            try:
                case.autosave.finishNow()
            except Exception as error:
                failed(error)
                self._rescue(case, failed)

    @staticmethod
    def _rescue(case: OpenCase, failed: Callable[[Exception], None]) -> None:
        try:
            path = case.rescue()
        except Exception as error:
            failed(error)
        else:
            text = _("The unsaved work on case {case} is kept in {path}: it comes back when the case is opened.")
            logging.warning(text.format(case=case.id, path=path))
