"""The projects that were open last, newest first."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

MOST = 6


class RecentProjects:
    """A short list of folders without doubles, which goes into a setting as text."""

    def __init__(self, paths: Iterable[str | Path] = ()) -> None:
        self.paths: list[Path] = []
        for path in reversed(list(paths)):
            self.add(path)

    @staticmethod
    def fromText(text: object) -> RecentProjects:
        """Read what `text` gave; anything else is an empty list."""
        try:
            paths = json.loads(text)
        except (TypeError, ValueError):
            paths = []
        usable = isinstance(paths, list) and all(isinstance(path, str) and path for path in paths)
        return RecentProjects(paths if usable else [])

    @property
    def text(self) -> str:
        """The list as text."""
        return json.dumps([str(path) for path in self.paths])

    def add(self, path: str | Path) -> None:
        """Put `path` first; the oldest ones fall off."""
        self.remove(path)
        self.paths.insert(0, Path(path))
        del self.paths[MOST:]

    def remove(self, path: str | Path) -> None:
        """Forget `path`."""
        key = _key(path)
        self.paths = [other for other in self.paths if _key(other) != key]


def _key(path: str | Path) -> str:
    return os.path.normcase(os.path.normpath(path))
