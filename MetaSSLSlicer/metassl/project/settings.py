"""The settings in project.json, of which only some values make sense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from metassl.files.errors import ProjectError
from metassl.files.json_kinds import Kind, list_of, text, whole

REGION_MAPS = ("symmetric", "official")
"""How the region map that is shown is defined: see inference/region_map.py."""

_SETTINGS: dict[str, tuple[Kind, str]] = {
    "strategy": (text, "the name of a strategy"),
    "region_map": (lambda value: value in REGION_MAPS, " or ".join(map(repr, REGION_MAPS))),
    "cache_bytes": (whole, "a whole number of bytes"),
    "mirror_axes": (list_of(lambda axis: type(axis) is int and 0 <= axis <= 2), "a list of axes: 0, 1 or 2"),
    "shown_round": (whole, "the number of a round"),
    "start_round": (whole, "the number of a round"),
}


def checked_settings(settings: Any, file: Path) -> dict[str, Any]:
    """The settings as read from, or to be written to, `file`; a setting that is None counts as not there.

    ProjectError when one of them cannot be used. Unknown ones are kept: a later version may know them.
    """
    if not isinstance(settings, dict):
        raise ProjectError(f"the project is damaged: the settings in {file} are no JSON object")
    given = {name: value for name, value in settings.items() if value is not None}
    for name, (is_sound, wanted) in _SETTINGS.items():
        if name in given and not is_sound(given[name]):
            raise ProjectError(
                f"the setting {name!r} in {file} is {given[name]!r}: it must be {wanted}; correct it, or remove it"
            )
    return given
