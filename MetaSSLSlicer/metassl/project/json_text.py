"""JSON that was written by somebody else: whatever is wrong with it is a ValueError, and what is not can be used."""

from __future__ import annotations

import json
from typing import Any

MAX_DEPTH = 32
"""Objects and lists in one another; ours go to seven. Python gives up at about a thousand."""


def parse_json(text: bytes | str) -> Any:
    """The value that `text` (UTF-8) holds. ValueError when it is none, nested too deeply, or holds half characters."""
    try:
        value = json.loads(text.decode("utf-8") if isinstance(text, bytes) else text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError("it is nested too deeply")
        inner = []
        for item in level:
            if isinstance(item, str):
                item.encode("utf-8")  # "\ud800" alone is no character, and could never be written again
            elif isinstance(item, dict):
                inner += item.keys()
                inner += item.values()
            elif isinstance(item, list):
                inner += item
        level = inner
    return value
