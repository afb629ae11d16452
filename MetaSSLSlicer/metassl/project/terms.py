"""What structures are, in standard terms: the common ones with their SNOMED CT codes, found by what they are called.

The codes are those of Slicer's own two lists (module Terminologies), so that its browser knows each of them. A
structure's terminology is kept as Slicer writes it, an "entry".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from metassl.files.errors import LabelError
from metassl.imaging.segments import terminology_code

from .structures import LabelDefinition

TERMS = Path(__file__).with_name("common_terms.tsv")
LISTS = {
    "general": "Segmentation category and type - 3D Slicer General Anatomy list",
    "dicom": "Segmentation category and type - DICOM master list",
}
CATEGORIES = {
    "Anatomical Structure": "SCT^123037004^Anatomical Structure",
    "Tissue": "SCT^85756007^Tissue",
    "Morphologically Altered Structure": "SCT^49755003^Morphologically Altered Structure",
}
_SIDES = {"": "^^", "left": "SCT^7771000^Left", "right": "SCT^24028007^Right"}
_REGIONS = "Anatomic codes - DICOM master list"
_WORD = re.compile(r"[^\W_]+")
_SHORT = {"l": "left", "lt": "left", "r": "right", "rt": "right"}
_EMPTY_WORDS = {"the", "of", "structure"}
_FIELDS = 7


@dataclass(frozen=True)
class Term:
    """A structure: its serialised terminology `entry`, its `name`, and what it may be called, as sets of words."""

    entry: str
    name: str
    called_by: tuple[frozenset[str], ...]


@dataclass(frozen=True)
class Coded:
    """A code: the scheme ("SCT"), its value there, and what it means in words."""

    scheme: str
    value: str
    meaning: str


@dataclass(frozen=True)
class Codes:
    """What an entry says. `category` and `type` are always there; the others are None where it does not tell them."""

    category: Coded
    type: Coded
    modifier: Coded | None = None
    region: Coded | None = None
    region_modifier: Coded | None = None


@cache
def common_terms() -> tuple[Term, ...]:
    """All of them, in the order in which they are offered."""
    lines = TERMS.read_text("utf-8").splitlines()[1:]
    return tuple(term for line in lines for term in _terms(line.split("\t")))


def exact_term(name: str) -> Term | None:
    """The term that `name` says, whatever the order of its words: "left kidney" or "Kidney L"."""
    return _by_words().get(_words(name))


def proposals(name: str) -> list[Term]:
    """All terms, those that have the most to do with `name` first."""
    words = _words(name)
    exact = exact_term(name)
    return sorted(common_terms(), key=lambda term: (term is not exact, -_likeness(term, words)))


def term_name(entry: str) -> str:
    """What a serialised terminology entry is called: its type, with the modifier if there is one."""
    meanings = [part.split("^")[-1] for part in entry.split("~")]
    kind, modifier = (meanings + [""] * 4)[2:4]
    return f"{kind} ({modifier})" if kind and modifier else kind


def codes_of(entry: str) -> Codes | None:
    """The codes of an entry; None where it lacks a category or a type that has scheme, code and meaning."""
    parts = [_coded(part) for part in (entry.split("~") + [""] * _FIELDS)[:_FIELDS]]
    _, category, kind, modifier, _, region, region_modifier = parts
    if category is None or kind is None:
        return None
    return Codes(category, kind, modifier, region, region_modifier if region else None)


def without_term(labels: Iterable[LabelDefinition]) -> list[LabelDefinition]:
    """Those of which nobody has said what they are. "Tissue" is what Slicer writes then."""
    return [
        label
        for label in labels
        if codes_of(label.terminology) is None or not terminology_code(label.terminology).identity
    ]


def entry_of(text: str) -> str:
    """The entry that a person means: the name of a common term, CATEGORY~TYPE or CATEGORY~TYPE~MODIFIER, each
    SCHEME^CODE^MEANING, or an entry as Slicer writes it. LabelError when it is none of these.
    """
    text = text.strip()
    if "~" not in text:
        if term := exact_term(text):
            return term.entry
        like = ", ".join(term.name for term in proposals(text)[:4])
        raise LabelError(
            f"{text!r} is none of the common terms (the nearest are {like}): write one of them, or its codes as "
            "CATEGORY~TYPE, such as 'SCT^123037004^Anatomical Structure~SCT^10200004^Liver'"
        )
    fields = text.split("~")
    entry = text if len(fields) == _FIELDS else "~".join([LISTS["dicom"], *fields, *["^^"] * (3 - len(fields))])
    entry = entry if len(fields) == _FIELDS else f"{entry}~{_REGIONS}~^^~^^"
    if len(fields) not in (2, 3, _FIELDS) or not text.isprintable() or codes_of(entry) is None:
        raise LabelError(
            f"cannot read the codes {text!r}: write CATEGORY~TYPE, each as SCHEME^CODE^MEANING, such as "
            "'SCT^123037004^Anatomical Structure~SCT^10200004^Liver'"
        )
    return entry


def _coded(part: str) -> Coded | None:
    scheme, value, meaning = (each.strip() for each in (part.split("^") + ["", "", ""])[:3])
    return Coded(scheme, value, meaning) if scheme and value and meaning else None


def _terms(fields: list[str]) -> list[Term]:
    which, category, code, meaning, sides, others = fields
    called = [_words(text) for text in (meaning, *others.split(","))]
    called = [words for words in called if words]
    return [
        Term(entry, term_name(entry), tuple(words | ({side} if side else set()) for words in called))
        for side in ("", *sides.split())
        for entry in (_entry(LISTS[which], CATEGORIES[category], f"SCT^{code}^{meaning}", _SIDES[side]),)
    ]


def _entry(terms: str, category: str, kind: str, side: str) -> str:
    return "~".join((terms, category, kind, side, _REGIONS, "^^", "^^"))


@cache
def _by_words() -> dict[frozenset[str], Term]:
    found: dict[frozenset[str], Term] = {}
    for term in common_terms():
        for words in term.called_by:
            found.setdefault(words, term)
    return found


def _likeness(term: Term, words: frozenset[str]) -> float:
    """How many words it shares with `words`, less a little for each that it has besides; a side alone is none."""
    sides = set(_SIDES)
    return max(
        (len(called & words) - 0.1 * len(called - words) if (called & words) - sides else 0.0)
        for called in term.called_by
    )


def _words(text: str) -> frozenset[str]:
    found = (_SHORT.get(word, word) for word in _WORD.findall(text.casefold()))
    return frozenset(_singular(word) for word in found if word not in _EMPTY_WORDS)


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
