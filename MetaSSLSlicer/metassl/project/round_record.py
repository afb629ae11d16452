"""round.json as it is read: what is in it is of the right kind, or one sentence names the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .errors import ProjectError
from .files import read_json

_LARGEST = 2**53


def read_record(path: Path, number: int) -> dict[str, Any]:
    """The record of the round `number`; entries that it lacks are left to its readers. Raises ProjectError."""
    record = read_json(path, f"the record of round {number:04d}")
    for name, is_sound in _KINDS.items():
        if record.get(name) is not None and not is_sound(record[name]):
            raise ProjectError(
                f"the record of round {number:04d} is damaged: its entry {name!r} in {path} is of the wrong kind; "
                "restore it from a copy"
            )
    return record


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _LARGEST


def _whole(value: Any) -> bool:
    return type(value) is int and 0 <= value < _LARGEST


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _by_name(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_text, value.values()))


def _config(value: Any) -> bool:
    return isinstance(value, dict) and all(
        value.get(name) is None or is_sound(value[name]) for name, is_sound in _CONFIG.items()
    )


_CONFIG: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("host", "loss", "device", "clock"), _text),
    **dict.fromkeys(("seed", "iterations"), _whole),
    "minutes": _number,
}
_KINDS: dict[str, Callable[[Any], bool]] = {
    "config": _config,
    **dict.fromkeys(("labels", "validation", "versions"), _by_name),
    "unlabelled": _texts,
    "parent": _whole,
    **dict.fromkeys(("created", "launcher"), _text),
}
