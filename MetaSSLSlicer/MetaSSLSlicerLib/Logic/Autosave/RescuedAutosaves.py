"""Unsaved work that could not be written into its project when Slicer closed: it waits in the user's own folder.

A file continues an autosave of the project, or begins one; it comes back with its case and goes when the project holds
what is in it.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Callable
from pathlib import Path

from metassl.files import ProjectError
from metassl.files.atomic import make_folder
from metassl.project import Project

from .AutosaveFormat import NUMBER, SUFFIX, caseOf

FOLDER = "MetaSSL unsaved work"


def rescueAutosave(project: Project, caseId: str, continued: tuple | None, write: Callable[[Path], None]) -> Path:
    """Have `write` write, in a file of its own, what could not be written in the project; returns where.

    `continued`: the mark of the autosave that is in the project, see `autosaveMark`. Raises ProjectError when that
    cannot
    be written either.
    """
    folder = _folder(project)
    if folder is None:
        raise ProjectError(f"case {caseId}: there is no home folder to keep the unsaved work in")
    make_folder(folder.parent)
    with contextlib.suppress(OSError):
        folder.parent.chmod(0o700)
    make_folder(folder)
    path = folder / f"{caseId}{NUMBER}{continued[0] if continued else 0}-{secrets.token_hex(4)}{SUFFIX}"
    write(path)
    return path


def rescuedAutosaves(project: Project) -> dict[Path, str]:
    """What waits for the project: {file: its case}."""
    folder = _folder(project)
    try:
        found = [] if folder is None else list(folder.glob(f"[!.]*{NUMBER}*{SUFFIX}"))
    except OSError:  # a home that may not be looked into
        found = []
    return {path: caseOf(path) for path in found}


def continues(rescued: Path, mark: tuple | None) -> bool:
    """Whether a rescued file goes on where the autosave with this mark ended."""
    return mark is not None and rescued.name.partition(NUMBER)[2].startswith(f"{mark[0]}-")


def _folder(project: Project) -> Path | None:
    """A project is known again by when it was made: it may be moved, and another may be made in its place."""
    key = project.created or str(project.path)
    name = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    try:
        return Path.home() / FOLDER / name
    except RuntimeError:  # nobody knows where it is
        return None
