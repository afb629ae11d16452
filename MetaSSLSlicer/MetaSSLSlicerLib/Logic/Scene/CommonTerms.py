"""The common structures with their SNOMED CT codes, found by what a person calls them.

The codes are those of Slicer's own two lists (module Terminologies), so that its browser knows each of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TERMS = Path(__file__).resolve().parents[3] / "Resources" / "commonTerms.tsv"
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


@dataclass(frozen=True)
class Term:
    """A structure: its serialised terminology `entry`, its `name`, and what it may be called, as sets of words."""

    entry: str
    name: str
    calledBy: tuple[frozenset[str], ...]


@cache
def commonTerms() -> tuple[Term, ...]:
    """All of them, in the order in which they are offered."""
    lines = TERMS.read_text("utf-8").splitlines()[1:]
    return tuple(term for line in lines for term in _terms(line.split("\t")))


def exactTerm(name: str) -> Term | None:
    """The term that `name` says, whatever the order of its words: "left kidney" or "Kidney L"."""
    return _byWords().get(_words(name))


def proposals(name: str) -> list[Term]:
    """All terms, those that have the most to do with `name` first."""
    words = _words(name)
    exact = exactTerm(name)
    return sorted(commonTerms(), key=lambda term: (term is not exact, -_likeness(term, words)))


def terminologyName(terminology: str) -> str:
    """What a serialised terminology entry is called: its type, with the modifier if there is one."""
    meanings = [part.split("^")[-1] for part in terminology.split("~")]
    kind, modifier = (meanings + [""] * 4)[2:4]
    return f"{kind} ({modifier})" if kind and modifier else kind


def _terms(fields: list[str]) -> list[Term]:
    which, category, code, meaning, sides, others = fields
    called = [_words(text) for text in (meaning, *others.split(","))]
    called = tuple(words for words in called if words)
    return [
        Term(entry, terminologyName(entry), tuple(words | ({side} if side else set()) for words in called))
        for side in ("", *sides.split())
        for entry in (_entry(LISTS[which], CATEGORIES[category], f"SCT^{code}^{meaning}", _SIDES[side]),)
    ]


def _entry(terms: str, category: str, kind: str, side: str) -> str:
    return "~".join((terms, category, kind, side, _REGIONS, "^^", "^^"))


@cache
def _byWords() -> dict[frozenset[str], Term]:
    found: dict[frozenset[str], Term] = {}
    for term in commonTerms():
        for words in term.calledBy:
            found.setdefault(words, term)
    return found


def _likeness(term: Term, words: frozenset[str]) -> float:
    """How many words it shares with `words`, less a little for each that it has besides; a side alone is none."""
    sides = set(_SIDES)
    return max(
        (len(called & words) - 0.1 * len(called - words) if (called & words) - sides else 0.0)
        for called in term.calledBy
    )


def _words(text: str) -> frozenset[str]:
    found = (_SHORT.get(word, word) for word in _WORD.findall(text.casefold()))
    return frozenset(_singular(word) for word in found if word not in _EMPTY_WORDS)


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
