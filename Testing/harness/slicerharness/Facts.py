"""What the real classes have: the facts in Testing/data/slicer-api, with inheritance resolved."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "data" / "slicer-api"


@dataclass(frozen=True)
class ClassFacts:
    """Everything one class has, inherited things included."""

    name: str
    className: str
    bases: tuple[str, ...]
    properties: dict[str, str]
    signals: frozenset[str]
    slots: frozenset[str]
    attributes: frozenset[str]
    complete: bool
    """False for a class of which only the names of attributes are known."""

    @cached_property
    def signalNames(self) -> dict[str, list[str]]:
        """Name of a signal -> its signatures."""
        names: dict[str, list[str]] = {}
        for signature in sorted(self.signals):
            names.setdefault(signature.split("(")[0], []).append(signature)
        return names

    @cached_property
    def slotNames(self) -> frozenset[str]:
        """Names of the slots."""
        return frozenset(signature.split("(")[0] for signature in self.slots)

    def has(self, name: str) -> bool:
        """Is there anything of this name?"""
        return (
            name in self.properties
            or name in self.attributes
            or name in self.slotNames
            or name in self.signalNames
            or (name.endswith("_") and self.has(name[:-1]))
        )

    def isWritable(self, name: str) -> bool:
        """May this property be set?"""
        return "(read-only)" not in self.properties[name]


@lru_cache(maxsize=1)
def allFacts() -> dict[str, dict]:
    """The facts as they are in the files."""
    facts: dict[str, dict] = {}
    for namespace in ("pythonqt", "qt", "ctk", "slicer"):
        facts.update(json.loads((FOLDER / f"{namespace}.json").read_text(encoding="utf-8")))
    return facts


@cache
def factsOf(name: str) -> ClassFacts | None:
    """The facts of "qt.QLabel", "slicer.app" ...; None where nothing is known."""
    own = allFacts().get(name)
    if own is None or own.get("absent"):
        return None
    everything = [own] + [allFacts()[_fullNames()[base]] for base in own.get("bases", []) if base in _fullNames()]
    properties: dict[str, str] = {}
    for facts in reversed(everything):
        properties.update(facts.get("properties", {}))
    return ClassFacts(
        name,
        own.get("class", name.split(".")[-1]),
        tuple(own.get("bases", [])),
        properties,
        *(
            frozenset().union(*(facts.get(kind, []) for facts in everything))
            for kind in ("signals", "slots", "attributes")
        ),
        complete="properties" in own,
    )


def factsOfClass(className: str) -> ClassFacts | None:
    """The facts of a C++ class, for example "QLabel"."""
    name = _fullNames().get(className)
    return factsOf(name) if name else None


@lru_cache(maxsize=1)
def _returns() -> dict[str, dict[str, str]]:
    return json.loads((FOLDER / "returns.json").read_text(encoding="utf-8"))


def returnedBy(facts: ClassFacts, method: str) -> ClassFacts | None:
    """The facts of what a method returns; None where that is not known."""
    for name in (facts.className, *facts.bases):
        kind = _returns().get(name, {}).get(method)
        if kind is not None:
            return factsOfClass(kind)
    return None


@lru_cache(maxsize=1)
def knownSignals() -> frozenset[str]:
    """Every signature of a signal of any class."""
    return frozenset().union(*(facts.get("signals", []) for facts in allFacts().values()))


@lru_cache(maxsize=1)
def _fullNames() -> dict[str, str]:
    names = {}
    for name, facts in allFacts().items():
        if name in ("slicer", "slicer.modules", "slicer.util"):
            continue
        names[facts.get("class", name.split(".")[-1])] = name
    return names
