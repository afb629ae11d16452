"""The model as a MONAI bundle. What it is made of is torch's, so the engine does the work."""

from __future__ import annotations

from metassl.choices.plugins import load
from metassl.files.errors import ErrorCode, ProjectError

from .export import Export


def write(export: Export) -> None:
    """The folder of the bundle: configs, docs, models, scripts, LICENSE. Raises ProjectError without torch or MONAI."""
    try:
        write_bundle = load("metassl.inference.bundle.write:write")
    except ImportError as error:
        raise ProjectError(
            f"a model can be exported only where it can be trained, and {error.name} is missing here: use the Python "
            "that trains, with `metassl export PROJECT DIR --format bundle`",
            ErrorCode.MISSING_PACKAGE,
        ) from error
    write_bundle(export)
