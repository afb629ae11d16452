"""Absurd values in trees of dicts and lists, as JSON and checkpoints are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import deepcopy
from random import Random
from typing import Any

DEEP = "-a-deep-list-"
SCRIPT = "<script>alert(1)</script>"
FORMULA = "=cmd|' /C calc'!A0"
ABSURD = (
    *(None, True, False, 0, -1, 1, 2, 255, 2**31, 10**30, -0.5, 1e308, float("nan"), float("inf"), "0", "nan"),
    *("", " ", "x" * 100_000, "a\nb", "a\0b", "\ud800", "\x1b[2J", "e\u0301", "\u202e", SCRIPT, FORMULA, DEEP),
    *("../../../etc/passwd", "..", "/etc/passwd", "C:\\Windows\\x", "\\\\host\\share", "CON", "nul.txt"),
    *("a ", ".a", "%s%n"),
    *([], {}, [[]], [None], ["a"], {"a": 1}, {"": {}}, [1, "a", None], list(range(1000))),
)  # fmt: skip


def changed(tree: Any, random: Random, values: Sequence[Any] = ABSURD) -> Any:
    """`tree` (which is changed itself) with one to three absurd values, lost entries or swapped ones."""
    for _ in range(random.choice((1, 1, 2, 3))):
        places = list(_places(tree))
        if not places:
            return deepcopy(random.choice(values))
        holder, key = random.choice(places)
        change = random.randrange(6)
        if change == 0:
            del holder[key]
        elif change == 1:
            other, theirs = random.choice(places)
            holder[key], other[theirs] = other[theirs], holder[key]
            if _is_endless(tree, ()):
                holder[key] = other[theirs] = None
        elif change == 2 and isinstance(holder, list):
            holder += [deepcopy(holder[key]) for _ in range(random.choice((1, 50)))]
        else:
            holder[key] = deepcopy(random.choice(values))  # it may be changed itself later
    return tree


def changed_json(data: bytes, random: Random) -> bytes:
    """A JSON text with absurd values, and sometimes a name twice or lists a hundred thousand deep."""
    text = json.dumps(changed(json.loads(data), random), ensure_ascii=random.random() < 0.5)
    text = text.replace(f'"{DEEP}"', "[" * 100_000 + "]" * 100_000)
    if random.random() < 0.1 and ":" in text:
        place = text.index('"', random.randrange(max(text.rindex(":"), 1)))
        name = text[place : text.find('"', place + 1) + 1]
        text = text.replace(name + ":", f"{name}: 3, {name}:", 1)
    return text.encode("utf-8", "surrogatepass")


def _places(tree: Any) -> list[tuple[Any, Any]]:
    places: list[tuple[Any, Any]] = []
    keys = tree.keys() if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        places.append((tree, key))
        places += _places(tree[key])
    return places


def _is_endless(tree: Any, above: tuple[int, ...]) -> bool:
    if not isinstance(tree, dict | list):
        return False
    inner = tree.values() if isinstance(tree, dict) else tree
    return id(tree) in above or any(_is_endless(each, (*above, id(tree))) for each in inner)
