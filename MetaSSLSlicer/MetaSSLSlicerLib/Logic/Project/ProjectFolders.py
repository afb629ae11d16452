"""Where projects lie: by default, and those that were open before."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from metassl.files import ProjectError
from metassl.project import make_case_id

_LEVELS_UP = 3
_MOST_ENTRIES = 200


def projectsFolder(home: Path | None = None) -> Path:
    """Where projects go by default: the user's documents."""
    home = Path.home() if home is None else home
    documents = home / "Documents"
    return (documents if documents.is_dir() else home) / "MetaSSL"


def suggestedFolder(parent: Path, name: str) -> Path:
    """A folder in `parent`, called after the project, that is new or empty."""
    try:
        base = make_case_id(name)
    except ProjectError:
        base = "New project"
    folder, number = Path(parent) / base, 1
    while not isFree(folder):
        number += 1
        folder = Path(parent) / f"{base} {number}"
    return folder


def isFree(folder: Path) -> bool:
    """True when a project can be made in `folder`: nothing is there yet, or an empty folder."""
    try:
        return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    except OSError:
        return False


def nearestProject(folder: Path) -> Path | None:
    """The project that `folder` is, lies in, or holds as its only one; None when there is none."""
    folder = Path(folder)
    for candidate in [folder, *folder.parents][: _LEVELS_UP + 1]:
        if (candidate / "project.json").is_file():
            return candidate
    try:
        inside = [path for path in islice(folder.iterdir(), _MOST_ENTRIES) if (path / "project.json").is_file()]
    except OSError:
        inside = []
    return inside[0] if len(inside) == 1 else None


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
        return json.dumps([str(path) for path in self.paths])

    def add(self, path: str | Path) -> None:
        """Put `path` first; the oldest ones fall off."""
        self.remove(path)
        self.paths.insert(0, Path(path))
        del self.paths[MOST:]

    def remove(self, path: str | Path) -> None:
        key = _key(path)
        self.paths = [other for other in self.paths if _key(other) != key]


def _key(path: str | Path) -> str:
    return os.path.normcase(os.path.normpath(path))
