"""Entries that a former version wrote under another name: read under the name of this one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FORMER = {
    "host": "framework",
    "doubt": "uncertainty",
    "errors_in_most_doubtful": "errors_in_flagged_share",
}
"""{former name: present name}, up to version 0.1."""


def renamed(document: Any, depth: int = 4) -> Any:
    """`document` with its former names replaced, to a depth of so many objects; what has both keeps the present one."""
    if not isinstance(document, Mapping) or depth == 0:
        return document
    found = {name: renamed(value, depth - 1) for name, value in document.items()}
    for former, present in FORMER.items():
        if former in found:
            value = found.pop(former)
            found.setdefault(present, value)
    return found
