"""The same files by two names: what a path of this computer is called on another one, and back."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

VARIABLE = "METASSL_PATHS"
"""The environment variable that tells a worker the paths of where it was asked for: JSON, [[here, there], ...]."""

_WINDOWS = re.compile(r"[A-Za-z]:([\\/]|$)|\\\\|//")


@dataclass(frozen=True)
class PathMap:
    """Pairs of folders, (here, there): as the computer of the project names it, and as another one does."""

    pairs: tuple[tuple[str, str], ...] = ()

    @staticmethod
    def of(pairs: Iterable[Iterable[str]]) -> PathMap:
        """Of any pairs of texts."""
        return PathMap(tuple((str(here), str(there)) for here, there in pairs))

    @staticmethod
    def of_worker() -> PathMap:
        """That of the process which asks: empty unless it works for another computer."""
        return _parsed(os.environ.get(VARIABLE, ""))

    def variable(self) -> dict[str, str]:
        """What the environment of a worker there needs."""
        return {VARIABLE: json.dumps(self.pairs)} if self.pairs else {}

    def holds(self, path: str) -> bool:
        """Whether a path of here is there, too."""
        return any(_rest_of(path, here) is not None for here, _there in self.pairs)

    def there(self, path: str) -> str:
        """A path of here as there; the same where no pair holds it."""
        return _moved(path, self.pairs)

    def here(self, path: str) -> str:
        """A path of there as here; the same where no pair holds it."""
        return _moved(path, [(there, here) for here, there in self.pairs])

    def told(self, value: Any) -> Any:
        """What a worker there says, in the names of here: texts, also inside lists and dicts."""
        if not self.pairs:
            return value
        if isinstance(value, str):
            for here, there in _longest_first((there, here) for here, there in self.pairs):
                value = _renamed(value, here, there)
            return value
        if isinstance(value, dict):
            return {key: self.told(item) for key, item in value.items()}
        return [self.told(item) for item in value] if isinstance(value, (list, tuple)) else value


@lru_cache(maxsize=4)
def _parsed(text: str) -> PathMap:
    return PathMap.of(json.loads(text)) if text else PathMap()


def _longest_first(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted(pairs, key=lambda pair: -len(pair[0]))


def _moved(path: str, pairs: Iterable[tuple[str, str]]) -> str:
    for source, target in _longest_first(pairs):
        rest = _rest_of(path, source)
        if rest is not None:
            return _joined(target, rest)
    return path


def _rest_of(path: str, folder: str) -> str | None:
    """What follows `folder` in `path`, "/" between its parts; None where it does not begin so."""
    if _WINDOWS.match(folder):
        path, folder = path.replace("\\", "/"), folder.replace("\\", "/")
        begins = path.casefold().startswith(folder.rstrip("/").casefold())
    else:
        begins = path.startswith(folder.rstrip("/"))
    rest = path[len(folder.rstrip("/")) :]
    return rest.strip("/") if begins and (not rest or rest[0] == "/") else None


def _joined(folder: str, rest: str) -> str:
    mark = "\\" if _WINDOWS.match(folder) and "\\" in folder else "/"
    if not rest:
        return folder
    return folder.rstrip("\\/") + mark + rest.replace("/", mark)


def _renamed(text: str, source: str, target: str) -> str:
    """A text with every path in it that begins with the folder `source`."""
    path = re.compile(rf"(?<![\w./\\-]){re.escape(source.rstrip(chr(92) + '/'))}((?:[\\/][^\s\"',;]*)|(?![\w.-]))")
    return path.sub(lambda found: _joined(target, found[1].replace("\\", "/").strip("/")), text)
