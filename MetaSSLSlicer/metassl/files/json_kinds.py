"""What a value in a JSON file must be, so that its readers may rely on it. None stands for "not known" everywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Kind = Callable[[Any], bool]
Kinds = Mapping[str, Kind]

LARGEST = 2**53
"""What a float can count to."""


def misfit(document: Mapping[str, Any], kinds: Kinds) -> str:
    """The name of the first entry that is not of its kind; "" when all that are there are."""
    wrong = (
        name for name, is_sound in kinds.items() if document.get(name) is not None and not is_sound(document[name])
    )
    return next(wrong, "")


def text(value: Any) -> bool:
    """A string."""
    return isinstance(value, str)


def truth(value: Any) -> bool:
    """True or False."""
    return isinstance(value, bool)


def whole(value: Any) -> bool:
    """A whole number from zero."""
    return type(value) is int and 0 <= value < LARGEST


def number(value: Any) -> bool:
    """A finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < LARGEST


def share(value: Any) -> bool:
    """A number from 0 to 1."""
    return number(value) and 0 <= value <= 1


def mapping(value: Any) -> bool:
    """Any object."""
    return isinstance(value, dict)


def either(*kinds: Kind) -> Kind:
    """One of these."""
    return lambda value: any(kind(value) for kind in kinds)


def maybe(kind: Kind) -> Kind:
    """That, or None, in a list or under a name that anybody may choose."""
    return lambda value: value is None or kind(value)


def list_of(kind: Kind, length: int | None = None) -> Kind:
    """A list of these, of any length or of this one."""
    return lambda value: isinstance(value, list) and length in (None, len(value)) and all(map(kind, value))


def by_name(kind: Kind) -> Kind:
    """An object with any names, and values of this kind."""
    return lambda value: isinstance(value, dict) and all(map(kind, value.values()))


def having(**kinds: Kind) -> Kind:
    """An object whose entries of these names, where they are there, are of these kinds."""
    return lambda value: isinstance(value, dict) and not misfit(value, kinds)


def whole_of(**kinds: Kind) -> Kind:
    """An object that has all of these entries."""
    return lambda value: isinstance(value, dict) and all(n in value and kind(value[n]) for n, kind in kinds.items())


def texts(value: Any) -> bool:
    """A list of strings; as fast as can be, as it may name thousands of cases."""
    return isinstance(value, list) and {*map(type, value)} <= {str}
