"""A project to try things out with: made-up images, drawn on this computer. Nothing is downloaded."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...Translation import _

SAMPLE_NAME = "MetaSSL sample"
CATEGORY = "MetaSSL"
LABELLED, MEASURED = 3, 2
_POLL_S = 0.05


def startEngine(arguments: list[str]) -> Any:
    """Start a command of the engine that needs no torch, with Slicer's own Python."""
    from ..Engine.EnginePython import EnginePython

    return EnginePython().start(arguments)


def makeSampleProject(folder: Path, start: Callable[[list[str]], Any] = startEngine) -> Path:
    """Draw the images into `folder`/images, make `folder`/project of them and return it, for a thread.

    One that is there already is returned as it is. `start(arguments)` starts the engine. Raises MetaSSLError.
    """
    from metassl.choices.importers import new_project  # not at the start of every Slicer
    from metassl.files import ProjectError  # not at the start of every Slicer
    from metassl.project import Project  # not at the start of every Slicer

    project = folder / "project"
    if (project / "project.json").is_file():
        return Project.open(project).path
    images = _free(folder / "images")
    if not (images / "dataset.json").is_file():
        process = start(["sample", str(images), "--json"])
        while (result := process.poll()) is None:
            time.sleep(_POLL_S)
        if result.code != 0:
            text = _("The sample images could not be made: {reason}")
            raise ProjectError(text.format(reason=result.text.strip() or f"exit code {result.code}"))
    made, _warnings = new_project(_free(project), images, labelled=LABELLED, validation=MEASURED, name=SAMPLE_NAME)
    return made.path


def registerSampleData(make: Callable[[], None], thumbnail: str | None = None) -> None:
    """Offer the sample project in Slicer's module Sample Data, where a click calls `make`."""
    import SampleData

    # The module wants an address and a file name of every source, also of one that is never downloaded.
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName="MetaSSLSample",
        uris="metassl:sample",
        fileNames="MetaSSLSample",
        nodeNames="MetaSSLSample",
        thumbnailFileName=thumbnail,
        customDownloader=lambda _source: make(),
    )


def _free(folder: Path) -> Path:
    """`folder`, or one beside it when something half-made is in the way."""
    from .ProjectFolders import isFree

    candidate, number = folder, 1
    while not isFree(candidate) and not (candidate / "dataset.json").is_file():
        number += 1
        candidate = folder.with_name(f"{folder.name}-{number}")
    return candidate
