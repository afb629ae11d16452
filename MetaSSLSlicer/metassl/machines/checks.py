"""What `metassl machines test` finds out about a machine, one thing after the other."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """what: "Python there". words: what was found. remedy: what to type or do where it is not as it should be."""

    what: str
    is_fine: bool
    words: str
    remedy: str = ""
