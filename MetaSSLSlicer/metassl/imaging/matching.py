"""Which structure of a project each value of an annotation file is: by name, then by terminology, then by number."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from .segments import IGNORE, Segment, terminology_code

_IGNORED = {"ignore", "notannotated", "unannotated"}
_BACKGROUND = {"background"}
_LISTED = 12


class Structure(Protocol):
    """A structure of a project, as `project.LabelDefinition`."""

    @property
    def value(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def terminology(self) -> str: ...


@dataclass
class Match:
    """What becomes of each value in the array: `values`, {value in the array: value in the project}.

    notes: what was not taken by its number, as phrases.
    """

    values: dict[int, int]
    notes: list[str] = field(default_factory=list)


def key_of_name(name: str) -> str:
    """What two names of one structure share: capitals, blanks, hyphens and underscores do not tell them apart."""
    return re.sub(r"[\s_-]+", "", unicodedata.normalize("NFKC", name).casefold())


def named(segments: Sequence[Segment], names: Mapping[int | str, str]) -> list[Segment]:
    """The segments with the names that somebody gave to their names or to their values in the file."""
    given = {key_of_name(str(key)): name for key, name in names.items()}
    numbers = [each.value if each.written is None else each.written for each in segments]

    def new_name(segment: Segment, number: int) -> str:
        by_number = given.get(key_of_name(str(number))) if numbers.count(number) == 1 else None
        return given.get(key_of_name(segment.name)) or by_number or segment.name

    return [replace(each, name=new_name(each, number)) for each, number in zip(segments, numbers)]


def match_segments(
    segments: Sequence[Segment], structures: Sequence[Structure], present: Iterable[int], lenient: bool = False
) -> Match:
    """The structure of each segment that `present` values show.

    By name, else by terminology code, else by the code's meaning in words. lenient: the names are another's, such as
    a data set's; what has no structure of its name is the one of its number, if no other name claims that. Raises
    ValueError with both lists where a segment has no structure, or two have one, or name and code tell of two.
    """
    present = {value for value in present if value != 0}
    by_code = _unique({each: terminology_code(each.terminology).identity for each in structures})
    codes = _unique({each: each.code.identity for each in segments})
    found: dict[Segment, int | None] = {}
    match = Match({0: 0})
    for segment in segments:
        by_name = _by_name(segment.name, structures)
        coded = by_code.get(segment.code.identity) if segment in codes.values() else None
        if by_name is None and coded is None:
            coded = next((each for word in segment.code.words if (each := _by_name(word, structures))), None)
        if by_name and coded and by_name is not coded and segment.value in present:
            raise ValueError(
                f"its segment {segment.name} has the name of {by_name.name} and the terminology of {coded.name}; "
                "correct one of the two"
            )
        structure = by_name or coded
        if structure is None:
            found[segment] = without_structure(segment.name)
            if found[segment] is not None and segment.value in present:
                what = "not annotated" if found[segment] else "background"
                match.notes.append(f"{segment.title} is taken as {what}")
        else:
            found[segment] = structure.value
            if not by_name and segment.value in present:
                match.notes.append(f"{segment.title} is {structure.name} by its terminology")
    if lenient:
        _by_number(found, structures, match, present)
    shown = {segment: value for segment, value in found.items() if segment.value in present}
    if unknown := [segment for segment, value in shown.items() if value is None]:
        raise ValueError(_both_lists(unknown, segments, structures))
    for structure in structures:
        same = [segment.name for segment, value in shown.items() if value == structure.value]
        if len(same) > 1:
            raise ValueError(f"its segments {' and '.join(same)} are both {structure.name}; join them, or rename one")
    renumbered = [
        f"{segment.title} is {value}"
        for segment, value in shown.items()
        if value not in (0, IGNORE, segment.value if segment.written is None else segment.written)
    ]
    if renumbered:
        match.notes.append("its values are renumbered by name: " + ", ".join(renumbered[:_LISTED]))
    match.values |= {segment.value: value for segment, value in shown.items() if value is not None}
    if missing := present - match.values.keys() - {IGNORE}:
        raise ValueError(
            f"it holds the value {min(missing)}, which has no name: those that have are "
            f"{', '.join(each.title for each in segments[:_LISTED])}; correct the annotation"
        )
    return match


def without_structure(name: str) -> int | None:
    """What a name stands for that is none of a structure: 0 background, IGNORE not annotated; None for any other."""
    key = key_of_name(name)
    return IGNORE if key in _IGNORED else 0 if key in _BACKGROUND else None


def listed(structures: Iterable[Structure]) -> str:
    """The structures for a message, such as "1=Liver, 2=Tumour"."""
    return ", ".join(f"{each.value}={each.name}" for each in structures)


def _by_name(name: str, structures: Sequence[Structure]) -> Structure | None:
    for key in (str, lambda text: " ".join(text.casefold().split()), key_of_name):
        same = [each for each in structures if key(each.name) == key(name)]
        if len(same) == 1:
            return same[0]
    return None


def _unique(identities: Mapping) -> dict:
    """The things by their identity, as far as it is one and no other thing has it."""
    all_of = list(identities.values())
    return {identity: thing for thing, identity in identities.items() if identity and all_of.count(identity) == 1}


def _by_number(found: dict, structures: Sequence[Structure], match: Match, present: set[int]) -> None:
    claimed = set(found.values())
    for segment, value in found.items():
        structure = next((each for each in structures if each.value == segment.value), None)
        if value is None and structure is not None and structure.value not in claimed:
            found[segment] = structure.value
            if segment.value in present:
                match.notes.append(f"{segment.title} is taken as {structure.name}, by its number")


def _both_lists(unknown: Sequence[Segment], segments: Sequence[Segment], structures: Sequence[Structure]) -> str:
    theirs = ", ".join(each.title for each in segments[:_LISTED]) + ", ..." * (len(segments) > _LISTED)
    missing = " and ".join(each.name for each in unknown[:3]) + " and others" * (len(unknown) > 3)
    return (
        f"its segments are {theirs}, and the project's structures {listed(structures)}: there is no {missing} among "
        f"these; rename the segments, or say what they are (on the command line with --values "
        f"{_quoted(unknown[0].name)}={_quoted(structures[0].name)})"
    )


def _quoted(name: str) -> str:
    return f'"{name}"' if " " in name else name
