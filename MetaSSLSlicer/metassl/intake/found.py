"""What was found in a folder: cases, what their labels mean, and what was left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from metassl.files.errors import ProjectError
from metassl.project.cases import key_of
from metassl.project.structures import LabelDefinition

LeftOut = list[tuple[Path, str]]


@dataclass
class FoundCase:
    """A case in a folder: one image path per channel file and, where there is one, its annotation.

    The annotation is one file, `label`, or one binary file a structure, `structures` (name → file). `split`: "pool",
    "validation", "test", or "" where the folder does not say. `about`: what to choose by, for showing only.
    """

    id: str
    images: list[Path]
    label: Path | None = None
    structures: dict[str, Path] = field(default_factory=dict)
    split: str = ""
    about: str = ""

    @property
    def has_label(self) -> bool:
        return self.label is not None or bool(self.structures)

    @property
    def files(self) -> list[Path]:
        return [*self.images, *([self.label] if self.label else []), *self.structures.values()]


@dataclass
class Discovery:
    """What `find_cases` found. `layout`: the convention. `channels`: their names. `split`: lists of ids: train_order,
    val, test. `left_out`: (path, why) of everything that became no part of a case; `notes`: what else should be told,
    `warnings`: what needs a second look.
    `ignored`: the values in label files that mean "not annotated"; 255 does so always.
    """

    cases: list[FoundCase]
    labels: list[LabelDefinition] = field(default_factory=list)
    channels: list[str] = field(default_factory=lambda: ["image"])
    split: dict[str, list[str]] | None = None
    name: str = ""
    layout: str = ""
    left_out: LeftOut = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    ignored: list[int] = field(default_factory=list)
    source: Path = Path()

    @property
    def structure_names(self) -> list[str]:
        """Those that files are named after, where each structure has a file of its own."""
        return sorted({name for case in self.cases for name in case.structures}, key=str.casefold)


def refuse_duplicates(cases: list[FoundCase]) -> None:
    """ProjectError when two cases would get the same id."""
    seen: dict[str, FoundCase] = {}
    for case in cases:
        other = seen.setdefault(key_of(case.id), case)
        if other is not case:
            raise ProjectError(
                f"two cases would get the id {case.id}: {other.images[0]} and {case.images[0]}; rename one"
            )


def numbered_channels(cases: list[FoundCase]) -> list[str]:
    """Names for channels that are only numbered."""
    count = max((len(case.images) for case in cases), default=1)
    return ["image"] if count == 1 else [f"channel {n}" for n in range(count)]


def with_common_channels(
    images: dict[str, dict[str, Path]], left_out: LeftOut
) -> tuple[list[str], dict[str, list[Path]]]:
    """The channels that go together in most cases, and the images of each case that has them all, in that order.

    images: case → name of the channel → file. What another case lacks, or has besides, goes to `left_out`.
    """
    sets = Counter(frozenset(channels) for channels in images.values())
    if not sets:
        return ["image"], {}
    usual = max(sets, key=lambda names: (sets[names], len(names)))
    common = sorted(usual, key=str.casefold)
    chosen = {}
    for case, channels in images.items():
        missing = [name for name in common if name not in channels]
        if missing:
            reason = f"the case {case} has no {' and no '.join(missing)}, which most cases have"
            left_out += [(path, reason) for path in channels.values()]
            continue
        chosen[case] = [channels[name] for name in common]
        left_out += [(path, f"most cases have no {name}") for name, path in channels.items() if name not in common]
    return common if len(common) > 1 else ["image"], chosen
