"""A project from elsewhere may hold links: nothing of ours is written through one that leads out of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from metassl.files.errors import ProjectError

from .making import FOLDERS
from .rounds import Round

WRITTEN = (*FOLDERS, "images", ".lock", ".training.guard")
"""Folders of a project in which files are made, and files that are opened where they lie.

All other files are written beside their place and then put into it, which takes a link away and leaves its target.
"""


def refuse_links_out(project: Path, rounds: Iterable[Round] = ()) -> None:
    """ProjectError when one of our folders or files is a link to somewhere outside of the project."""
    home = project.resolve()
    for path in [*(project / name for name in WRITTEN), *(path for found in rounds for path in _written_in(found))]:
        refuse_link_out(path, home)


def refuse_link_out(path: Path, home: Path) -> None:
    """ProjectError when `path` is a link that leads out of the folder `home`."""
    if (path.is_symlink() or _is_junction(path)) and not path.resolve().is_relative_to(home.resolve()):
        raise ProjectError(
            f"{path} is a link that leads out of the project: put the file or folder itself in its place"
        )


def _written_in(found: Round) -> list[Path]:
    return [found.path, found.checkpoints, found.predictions, found.events_path, found.log_path]


def _is_junction(path: Path) -> bool:
    """Of a folder on Windows; Python knows them since 3.12."""
    return getattr(path, "is_junction", lambda: False)()
