"""The settings in project.json, of which only some values make sense."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .errors import ProjectError

REGION_MAPS = ("symmetric", "official")
"""How the region map that is shown is defined: see inference/region_map.py."""


def checked_settings(settings: Any, file: Path) -> dict[str, Any]:
    """The settings as read from `file`. ProjectError when one of them cannot be used."""
    if not isinstance(settings, dict):
        raise ProjectError(f"the project is damaged: the settings in {file} are no JSON object")
    for name, (is_sound, wanted) in _KINDS.items():
        if settings.get(name) is not None and not is_sound(settings[name]):
            raise ProjectError(f"the setting {name!r} in {file} is {settings[name]!r}: it must be {wanted}")
    return settings


def region_map_of(settings: dict[str, Any], where: object) -> str:
    """The setting "region_map", "symmetric" if there is none. ProjectError naming `where` when it is another word."""
    chosen = settings.get("region_map", REGION_MAPS[0])
    if chosen not in REGION_MAPS:
        raise ProjectError(
            f'{where} has the region map {chosen!r}, which MetaSSL does not know: set "region_map" to '
            f"{' or '.join(map(repr, REGION_MAPS))}, or remove it"
        )
    return chosen


def _whole(value: Any) -> bool:
    return type(value) is int and value >= 0


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _axes(value: Any) -> bool:
    return isinstance(value, list) and all(type(axis) is int and 0 <= axis <= 2 for axis in value)


_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "strategy": (_text, "the name of a strategy"),
    "cache_bytes": (_whole, "a whole number of bytes"),
    "mirror_axes": (_axes, "a list of axes: 0, 1 or 2"),
    "shown_round": (_whole, "the number of a round"),
    "start_round": (_whole, "the number of a round"),
}
