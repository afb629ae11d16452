"""The folder of a new project: all of it is there in the end, or nothing is."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from metassl.files.atomic import make_folder
from metassl.files.errors import ProjectError
from metassl.files.json_files import write_json

from .cases import now
from .documents import write_cases
from .structures import LabelDefinition, check_labels

FOLDERS = ("labels", "labels/.history", "journal", "cache", "rounds")
"""The folders of every project."""

_MADE = (*FOLDERS, "images", "cases.json", "project.json", ".lock")


@contextmanager
def making_project(
    path: Path, name: str, labels: Iterable[LabelDefinition], channels: list[str]
) -> Iterator[dict[str, Any]]:
    """Prepare the folder `path`, which must be new or empty, and give what its project.json will hold.

    project.json, which makes it a project, is written after the block. If anything fails, what was made is removed.
    """
    ordered = check_labels(labels)
    if not channels or not all(isinstance(c, str) and c.strip() for c in channels):
        raise ProjectError("a project needs the name of at least one image channel")
    make_folder(path)
    if any(path.iterdir()):
        raise ProjectError(f"{path} is not empty: choose a new folder for the project")
    content = {
        "name": str(name).strip() or path.name,
        "created": now(),
        "channels": list(channels),
        "labels": [asdict(label) for label in ordered],
        "settings": {},
    }
    try:
        for folder in FOLDERS:
            make_folder(path / folder)
        write_cases(path / "cases.json", {})
        yield {**content, "labels": ordered}
        write_json(path / "project.json", content)
    except BaseException:
        for part in _MADE:
            _take_away(path / part)
        raise


def _take_away(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
        return
    try:
        path.unlink(missing_ok=True)
    except OSError:
        pass  # what went wrong before is what matters
