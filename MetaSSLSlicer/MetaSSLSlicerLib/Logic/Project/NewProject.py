"""What a folder of images holds, what somebody filled in to make a project, and making it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from metassl.choices.importers import find_cases, new_project
from metassl.files import ProjectError, read_json, write_json
from metassl.project import LabelDefinition, Project, parse_labels

from ...Translation import _
from ..Scene.SceneVolumes import VolumeCase, createFromVolumes
from .ProjectFolders import isFree

MOST_LABELS = 254


@dataclass(frozen=True)
class NewProject:
    """The images are those in the folder `source`, or else `volumes`.

    `labelled`, `measured`: how many label files of the folder to import, to train on and to measure with.
    """

    path: Path
    name: str
    labels: list[LabelDefinition]
    source: Path | None = None
    volumes: list[VolumeCase] = field(default_factory=list)
    labelled: int = 0
    measured: int = 0

    def create(self) -> tuple[Path, list[str]]:
        """Make it, for a thread; returns its folder and a list of warnings. Raises MetaSSLError."""
        if not isFree(self.path):
            text = _("{folder} is not empty: choose a new folder for the project.")
            raise ProjectError(text.format(folder=self.path))
        if self.source is None:
            return createFromVolumes(self.path, self.name, self.labels, self.volumes).path, []
        if self.path.resolve() == self.source.resolve():
            raise ProjectError(_("The project needs a folder of its own, beside that of the images."))
        texts = [f"{label.value}={label.name.replace('=', '-')}={label.color}" for label in self.labels]
        project, warnings = new_project(
            self.path,
            self.source,
            labelled=self.labelled,
            validation=self.measured,
            labels=texts,
            name=self.name,
        )
        if parse_labels(texts) != self.labels:
            self._keepDefinitions(project)
        return project.path, warnings

    def _keepDefinitions(self, project: Project) -> None:
        """`new_project` takes labels as on a command line, which have no terminology."""
        path = project.path / "project.json"
        with project.lock():
            document = read_json(path, "the project")
            document["labels"] = [asdict(label) for label in self.labels]
            write_json(path, document)


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


def labelsOfSegmentation(node) -> list[LabelDefinition]:
    """One label for each segment, in their order: values from 1, and their names, colours and terminology."""
    segmentation = node.GetSegmentation()
    labels, taken = [], set()
    for index in range(min(segmentation.GetNumberOfSegments(), MOST_LABELS)):
        segment = segmentation.GetNthSegment(index)
        first = _printable(segment.GetName()) or f"Structure {index + 1}"
        name, number = first, 1
        while name in taken:
            number += 1
            name = f"{first} {number}"
        taken.add(name)
        labels.append(LabelDefinition(index + 1, name, _colorText(segment.GetColor()), segment.GetTerminology() or ""))
    return labels


def _colorText(rgb) -> str:
    """Three numbers 0..1 as "#RRGGBB"."""
    return "#" + "".join(f"{round(255 * min(max(part, 0.0), 1.0)):02X}" for part in rgb)


def _printable(text: str) -> str:
    return "".join(character for character in text or "" if character.isprintable()).strip()
