"""One case of cases.json, which is read again only when it was written since: loops ask for thousands, one by one."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

from .cases import Case
from .documents import read_cases

_YOUNG_S = 2.0
"""A file this young may be written again without a new time stamp."""


class CaseList:
    """Reads cases of the file `file`."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._known: tuple[object, dict[str, Case]] = (None, {})

    def get(self, case_id: str) -> Case | None:
        """The case as it is now, yours to change, or None. Raises ProjectError where the file is damaged."""
        written = self._written()
        known, cases = self._known
        if written is None or written != known:
            cases = read_cases(self.file)
            self._known = (written, cases)
        case = cases.get(case_id)
        return case and replace(case, images=list(case.images), image_hashes=list(case.image_hashes))

    def _written(self) -> tuple[int, int, int] | None:
        """What tells this content from any other; None where nothing does.

        The file is opened for it: a share asks its server then, and may answer a mere stat out of what it remembers.
        """
        try:
            with open(self.file, "rb") as file:
                found = os.fstat(file.fileno())
        except OSError:
            return None
        settled = time.time() - found.st_mtime > _YOUNG_S
        return (found.st_ino, found.st_mtime_ns, found.st_size) if settled else None
