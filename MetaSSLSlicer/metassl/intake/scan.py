"""What a folder holds, in words: before anything is made."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from metassl.project.words import count

from .found import Discovery
from .structures_told import structures_told

_SHOWN_NAMES, _SHOWN_CASES = 3, 12


@dataclass(frozen=True)
class Scan:
    """`structures`: named by the folder. `left_out`: reason → names. `about`: case → what to choose by."""

    source: Path
    layout: str
    cases: int
    labelled: int
    channels: list[str]
    structures: list[str]
    splits: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    about: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def of(source: Path, found: Discovery) -> Scan:
        by_reason: dict[str, list[str]] = defaultdict(list)
        for path, reason in found.left_out:
            by_reason[reason].append(_relative(path, source))
        splits = Counter(case.split for case in found.cases if case.split)
        splits.update({key: len(ids) for key, ids in (found.split or {}).items() if ids})
        structures = found.structure_names or [
            f"{label.value} {label.name}" for label in found.labels or structures_told(found)
        ]
        labelled = sum(case.has_label for case in found.cases)
        return Scan(
            source,
            found.layout,
            len(found.cases),
            labelled,
            found.channels,
            structures,
            dict(splits),
            dict(sorted(by_reason.items(), key=lambda each: -len(each[1]))),
            found.notes,
            {case.id: case.about for case in found.cases if case.about},
        )

    def lines(self) -> list[str]:
        """For people: one fact a line."""
        kept = ", ".join(f"{number} {name}" for name, number in self.splits.items())
        lines = [
            f"{self.source}: {self.layout}",
            f"  cases       {self.cases}",
            f"  labels      {self.labelled} found{f' ({kept})' if kept else ''}",
            f"  structures  {', '.join(self.structures) or 'not named here: give --labels 1=NAME'}",
            f"  channels    {', '.join(self.channels)}",
        ]
        lines += [f"  {name:<11} {about}" for name, about in list(self.about.items())[:_SHOWN_CASES]]
        return lines + self.told()

    def told(self) -> list[str]:
        """The lines of what nobody would expect."""
        lines = [f"  note        {note}" for note in self.notes]
        for reason, names in self.left_out.items():
            shown = ", ".join(names[:_SHOWN_NAMES]) + (", ..." if len(names) > _SHOWN_NAMES else "")
            lines.append(f"  left out    {count(len(names), 'file')}: {reason} ({shown})")
        return lines

    def to_json(self) -> dict[str, Any]:
        left = [{"reason": reason, "files": names} for reason, names in self.left_out.items()]
        return {**vars(self), "source": str(self.source), "left_out": left}


def _relative(path: Path, source: Path) -> str:
    return path.relative_to(source).as_posix() if path.is_relative_to(source) and path != source else str(path)
