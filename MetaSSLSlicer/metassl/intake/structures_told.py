"""The structures that label files name themselves: Slicer's segmentations, or an ITK-SNAP description beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from metassl.imaging.label_tables import read_label_description
from metassl.imaging.matching import key_of_name, without_structure
from metassl.imaging.reader import quiet, reader_of
from metassl.imaging.segments import IGNORE, Look, header_of, looks_of
from metassl.project.structures import LabelDefinition

from .found import Discovery
from .tree import SEGMENTATION_SUFFIXES


def structures_told(found: Discovery) -> list[LabelDefinition]:
    """Those that the label files name, with their colours and terminology, by value; [] where they name none.

    A structure is what has one name in all files; it keeps the first value that it has in one, unless that is taken.
    """
    labels = [case.label for case in found.cases if case.label is not None]
    told: dict[str, Look] = {}
    for look in _told(found.source, labels):
        if look[1].strip() and look[1].isprintable() and without_structure(look[1]) is None and look[0] != IGNORE:
            told.setdefault(key_of_name(look[1]), look)
    made: dict[int, LabelDefinition] = {}
    for value, name, color, terminology in told.values():
        if not 1 <= value < IGNORE or value in made:
            value = next(free for free in range(1, IGNORE) if free not in made)
        hexadecimal = "".join(f"{round(255 * part):02X}" for part in color)
        made[value] = LabelDefinition(value, name, f"#{hexadecimal}", terminology)
    return [made[value] for value in sorted(made)]


def _told(source: Path, labels: list[Path]) -> Iterator[Look]:
    segmentations = [path for path in labels if path.name.lower().endswith(SEGMENTATION_SUFFIXES)]
    for path in segmentations:
        try:
            with quiet():
                yield from looks_of(header_of(reader_of(path)))
        except (OSError, RuntimeError, ValueError):
            continue  # which is told when the label is read
    if segmentations:
        return
    folders = {folder for path in labels for folder in path.parents if folder.is_relative_to(source)}
    for path in sorted(file for folder in folders for file in folder.glob("*.txt")):
        try:
            if looks := read_label_description(path):
                yield from looks
                return
        except OSError:
            continue
