"""Unsaved work that could not be written into its project when Slicer closed: it waits in the user's own folder.

A file continues a journal of the project, or begins one; it comes back with its case and goes when the project holds
what is in it.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

from metassl.project import ProjectError
from metassl.project.files import make_folder

from .Journal import NUMBER, SUFFIX

FOLDER = "MetaSSL unsaved work"


def rescueJournal(journal: Path, continued: tuple | None, write: Callable[[Path], None]) -> Path:
    """Have `write` write, elsewhere, what could not be written as `journal`; returns where.

    `continued`: the mark of the journal that is in the project, see `journalMark`. Raises ProjectError when there is no
    room anywhere.
    """
    case = journal.name[: -len(SUFFIX)].partition(NUMBER)[0]
    name = f"{case}{NUMBER}{continued[0] if continued else 0}{SUFFIX}"
    folders = _folders(journal.parent.parent)
    for folder in folders:
        try:
            make_folder(folder)
            write(folder / name)
        except ProjectError:
            if folder == folders[-1]:
                raise
        else:
            return folder / name
    raise AssertionError


def rescuedJournals(project: Path) -> dict[Path, str]:
    """What waits for the project in the folder `project`: {file: its case}."""
    found = [path for folder in _folders(project) for path in folder.glob(f"[!.]*{NUMBER}*{SUFFIX}")]
    return {path: path.name.partition(NUMBER)[0] for path in found}


def continues(rescued: Path, mark: tuple | None) -> bool:
    """Whether a rescued file goes on where the journal with this mark ended."""
    return mark is not None and rescued.name.partition(NUMBER)[2] == f"{mark[0]}{SUFFIX}"


def _folders(project: Path) -> list[Path]:
    """The folders for work of one project, the best first."""
    name = hashlib.sha256(str(project).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    roots = [Path(tempfile.gettempdir())]
    try:
        roots.insert(0, Path.home())
    except RuntimeError:  # nobody knows where it is
        pass
    return [root / FOLDER / name for root in roots]
