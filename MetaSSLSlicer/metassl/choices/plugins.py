"""Code that is found by its name: an import path in a catalogue, or an entry point of somebody else's package."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from operator import attrgetter
from typing import Any


def load(path: str) -> Any:
    """What "package.module:name" names; the module itself without a name."""
    module, _, name = path.partition(":")
    found = import_module(module)
    return attrgetter(name)(found) if name else found


@cache
def entry_points_of(group: str) -> tuple[Any, ...]:
    """What the installed packages offer in `group`, in the order of the names. What cannot be loaded is warned of."""
    offered = []
    for entry in sorted(_in_group(group), key=lambda entry: entry.name):
        try:
            offered.append(entry.load())
        except Exception as error:
            warnings.warn(f"the plug-in {entry.name} of {group} cannot be loaded: {error}", stacklevel=2)
    return tuple(offered)


def _in_group(group: str) -> Iterable[Any]:
    try:
        return entry_points(group=group)
    except TypeError:  # Python 3.9
        return {(entry.name, entry.value): entry for entry in entry_points().get(group, ())}.values()
