"""project.json with its settings, and cases.json: what is wrong with them is one sentence that names the file."""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from metassl.files.errors import LabelError, ProjectError
from metassl.files.json_files import read_json, write_json
from metassl.files.json_kinds import Kind, list_of, number, text, truth, whole

from .cases import Case, key_of
from .structures import LabelDefinition, check_labels

REGION_MAPS = ("symmetric", "official")
"""How the region map that is shown is defined: see inference/region_map.py."""

_SETTINGS: dict[str, tuple[Kind, str]] = {
    "strategy": (text, "the name of a strategy"),
    "region_map": (lambda value: value in REGION_MAPS, " or ".join(map(repr, REGION_MAPS))),
    "cache_bytes": (whole, "a whole number of bytes"),
    "mirror_axes": (list_of(lambda axis: type(axis) is int and 0 <= axis <= 2), "a list of axes: 0, 1 or 2"),
    "tolerance_mm": (lambda value: number(value) and value >= 0, "a depth in mm, such as 2"),
    "shown_round": (whole, "the number of a round"),
    "start_round": (whole, "the number of a round"),
    "thin": (truth, "true or false"),
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


def read_project(file: Path) -> dict[str, Any]:
    """project.json with its labels as definitions. Raises ProjectError or LabelError."""
    document = read_json(file, "the project", {"created": text})
    try:
        labels = [
            LabelDefinition(entry["value"], entry["name"], entry.get("color", ""), entry.get("terminology", ""))
            for entry in document["labels"]
        ]
        channels = document["channels"]
        sound = isinstance(channels, list) and channels and all(map(_is_text, channels))
        if not sound or not _is_text(document["name"]):
            raise TypeError
        labels = check_labels(labels)
    except (KeyError, TypeError, AttributeError) as error:
        raise ProjectError(f"the project is damaged: {file} lacks its name, channels or labels") from error
    except LabelError as error:
        raise LabelError(f"the project is damaged: {file}: {error}") from error
    return {**document, "labels": labels, "settings": checked_settings(document.get("settings", {}), file)}


def read_cases(file: Path) -> dict[str, Case]:
    """cases.json: the cases by id, sorted. Raises ProjectError."""
    entries = read_json(file, "the case list").get("cases")
    if not isinstance(entries, list):
        raise ProjectError(f"the case list is damaged: {file} has no list of cases")
    try:
        cases = [Case.from_json(entry) for entry in entries]
    except ProjectError as error:
        raise ProjectError(f"the case list is damaged: {file}: {error}") from error
    keys = Counter(key_of(case.id) for case in cases)
    if len(keys) < len(cases):
        raise ProjectError(f"the case list is damaged: {file} names the case {keys.most_common(1)[0][0]} twice")
    return {case.id: case for case in sorted(cases, key=lambda case: case.id)}


def write_cases(file: Path, cases: dict[str, Case]) -> None:
    """Write cases.json. Raises ProjectError."""
    ordered = sorted(cases.values(), key=lambda case: case.id)
    write_json(file, {"cases": [case.to_json() for case in ordered]})


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


_YOUNG_S = 2.0
"""A file this young may be written again without a new time stamp."""


class CaseList:
    """Reads cases of the file `file`."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._known: tuple[object, dict[str, Case]] = (None, {})

    def get(self, case_id: str) -> Case | None:
        """The case as it is now, yours to change, or None. Raises ProjectError where the file is damaged."""
        written = self._written()
        known, cases = self._known
        if written is None or written != known:
            cases = read_cases(self.file)
            self._known = (written, cases)
        case = cases.get(case_id)
        return case and replace(case, images=list(case.images), image_hashes=list(case.image_hashes))

    def _written(self) -> tuple[int, int, int] | None:
        """What tells this content from any other; None where nothing does.

        The file is opened for it: a share asks its server then, and may answer a mere stat out of what it remembers.
        """
        try:
            with open(self.file, "rb") as file:
                found = os.fstat(file.fileno())
        except OSError:
            return None
        settled = time.time() - found.st_mtime > _YOUNG_S
        return (found.st_ino, found.st_mtime_ns, found.st_size) if settled else None
