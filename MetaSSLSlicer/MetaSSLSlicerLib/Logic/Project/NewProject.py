"""What a folder of images holds, what somebody filled in to make a project, and making it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from metassl.choices.importers import (
    find_cases,
    labels_in,
    new_project,
    scan,
    structures_in,
    to_measure,
    told_of_names,
)
from metassl.files import ProjectError
from metassl.project import LabelDefinition
from metassl.project.words import plural

from ...Translation import _
from ..Scene.SceneVolumes import VolumeCase, createFromVolumes
from .ProjectFolders import isFree

MOST_LABELS = 254
MOST_LINES = 200
"""So many names of one kind are listed: a text of thousands of lines would stop the window."""


@dataclass(frozen=True)
class NewProject:
    """The images are those in `source`, a folder, a table of cases or an image, or else `volumes`.

    `labelled`, `measured`: how many label files to import, to train on and to measure with; None: as is usual.
    `model`: what it begins with, see `metassl.intake.StartModel`; None for nothing.
    """

    path: Path
    name: str
    labels: list[LabelDefinition]
    source: Path | None = None
    volumes: list[VolumeCase] = field(default_factory=list)
    labelled: int | None = 0
    measured: int | None = 0
    model: Any = None

    def create(self) -> tuple[Path, list[str]]:
        """Make it, for a thread; returns its folder and a list of warnings. Raises MetaSSLError."""
        if not isFree(self.path):
            text = _("{folder} is not empty: choose a new folder for the project.")
            raise ProjectError(text.format(folder=self.path))
        if self.source is None:
            project, warnings = createFromVolumes(self.path, self.name, self.labels, self.volumes, self.model)
            return project.path, warnings
        if self.path.resolve() == self.source.resolve():
            raise ProjectError(_("The project needs a folder of its own, beside that of the images."))
        project, warnings = new_project(
            self.path,
            self.source,
            labelled=self.labelled,
            validation=self.measured,
            labels=self.labels,
            name=self.name,
            model=self.model,
        )
        return project.path, warnings


@dataclass(frozen=True)
class FolderPreview:
    """What a folder, a table of cases or a single image holds.

    `labelled`, `measurable`: how many cases have a label file to choose from, and (besides) one that the folder itself
    keeps to measure with; `measured`: to how many of them that use is proposed. `labels`: the structures that the
    folder names, [] for none. `text`: all that is known of it, what is left out and why, for reading.
    """

    folder: Path
    cases: int
    channels: int
    labels: list[LabelDefinition]
    name: str
    labelled: int
    measurable: int
    measured: int = 0
    layout: str = ""
    leftOut: int = 0
    text: str = ""
    names: Any = None

    @property
    def trained(self) -> int:
        """With how many labels to train unless somebody says so."""
        return self.labelled if self.measurable else self.labelled - self.measured

    @staticmethod
    def read(folder: Path, tick: Callable[[], None] = lambda: None) -> FolderPreview:
        """Look into `folder`, for a thread: a large one takes a while, unless `tick` raises. Raises MetaSSLError."""
        found = find_cases(folder, tick)
        labelled, measurable = labels_in(found)
        path = Path(folder).expanduser().resolve()
        seen = scan(Path(folder).expanduser(), found)
        return FolderPreview(
            Path(folder),
            len(found.cases),
            len(found.channels),
            structures_in(found),
            found.name or (path.name.split(".")[0] if path.is_file() else path.name),
            labelled,
            measurable,
            to_measure(labelled, measurable),
            seen.layout,
            sum(map(len, seen.left_out.values())),
            scanText(seen, found.warnings),
            _namesAlone(found),
        )

    def namesTold(self, labels: list[LabelDefinition]) -> list[str]:
        """What of the folder's labels gets another name or number, or is not taken. LabelError: they contradict."""
        return told_of_names(self.names, labels)


def _namesAlone(found: Any) -> Any:
    """What names there are in label files, without thousands of cases: it is asked for at every letter typed."""
    files = dict.fromkeys(found.structure_names, Path())
    return replace(found, cases=[replace(found.cases[0], structures=files)], left_out=[])


def scanText(seen: Any, warnings: list[str]) -> str:
    """What a scan says, one fact a line; of what is left out the names, of many the first ones and how many more."""
    split = ", ".join(f"{number} {name}" for name, number in seen.splits.items())
    labels = _("{number} found").format(number=seen.labelled) + (f" ({split})" if split else "")
    facts = [
        (_("Layout"), seen.layout),
        (_("Cases"), seen.cases),
        (_("Images"), seen.cases * len(seen.channels)),
        (_("Labels"), labels),
        (_("Structures"), ", ".join(seen.structures) or _("not named in the folder: name them below")),
        (_("Channels"), ", ".join(seen.channels)),
    ]
    lines = [f"{title}: {fact}" for title, fact in facts]
    lines += nameLines([f"{name}: {about}" for name, about in seen.about.items()])
    lines += [_("Note: {note}").format(note=note) for note in [*warnings, *seen.notes]]
    return "\n".join([*lines, *leftOutLines(seen.left_out)])


def leftOutLines(leftOut: Mapping[str, list[str]]) -> list[str]:
    """Reason → names, as lines for reading."""
    lines = []
    for reason, names in leftOut.items():
        number = plural(len(names), _("1 file"), _("{count} files"))
        lines.append(_("Left out, {files}: {reason}").format(files=number, reason=reason))
        lines += [f"   {name}" for name in nameLines(names)]
    return lines


def nameLines(lines: list[str]) -> list[str]:
    """The first of many, and how many more."""
    more = len(lines) - MOST_LINES
    return lines if more <= 0 else [*lines[:MOST_LINES], _("... and {number} more").format(number=more)]


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
