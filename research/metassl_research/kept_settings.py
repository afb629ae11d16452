"""A comparison that goes on where it was must go on as it began."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from metassl.files.errors import MetaSSLError


def refuse_other_settings(
    asked: dict[str, Any],
    former: dict[str, Any],
    names: Iterable[str],
    where: object,
    what: str,
    options: Mapping[str, str] | None = None,
) -> None:
    """MetaSSLError when one of the settings `names` differs from that of the results in the file `where`.

    what: these results are, such as "a benchmark". options: what the option is called that gives a setting, where its
    name is another one; "" where no option gives it.
    """
    different = [
        _told((options or {}).get(name, f"--{name.replace('_', '-')}") or name, asked[name], former.get(name))
        for name in names
        if asked[name] != former.get(name)
    ]
    if different:
        raise MetaSSLError(
            f"{where} holds {what} with other settings: {', '.join(different)}; give the same ones to go on with it, "
            "or another --out"
        )


def _told(option: str, asked: Any, former: Any) -> str:
    if isinstance(asked, dict) and isinstance(former, dict):
        names = [name for name in asked if asked[name] != former.get(name)]
        asked, former = ({name: each.get(name) for name in names} for each in (asked, former))
    if asked is None or asked is False:
        return f"no {option} (it has {'it' if former is True else _typed(former)})"
    given = option if asked is True else f"{option} {_typed(asked)}"
    return f"{given} (it has {'none' if former in (None, False) else _typed(former)})"


def _typed(value: Any) -> str:
    """As somebody would type it."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
