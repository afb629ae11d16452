"""What a folder of images holds, so that the form for a new project can fill itself in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from metassl.project import LabelDefinition, find_cases


@dataclass(frozen=True)
class FolderPreview:
    """`labelled`, `measurable`: how many cases have a label file to train on, and (besides) to measure with.

    `labels` and `name` are those of a data set, and empty for a plain folder.
    """

    folder: Path
    cases: int
    channels: int
    labels: list[LabelDefinition]
    name: str
    labelled: int
    measurable: int

    @staticmethod
    def read(folder: Path, tick: Callable[[], None] = lambda: None) -> FolderPreview:
        """Look into `folder`, for a thread: a large one takes a while, unless `tick` raises. Raises MetaSSLError."""
        found = find_cases(folder, tick)
        split = found.split or {}
        kept = {"validation": set(split.get("val", [])), "test": set(split.get("test", []))}
        withLabel = {case.id for case in found.cases if case.label is not None}
        measurable = len(withLabel & kept["validation"])
        labelled = len(withLabel - kept["validation"] - kept["test"])
        name = found.name or Path(folder).expanduser().resolve().name
        return FolderPreview(
            Path(folder), len(found.cases), len(found.channels), found.labels, name, labelled, measurable
        )
