"""A comparison that goes on where it was must go on as it began."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from metassl.files.errors import MetaSSLError


def refuse_other_settings(
    asked: dict[str, Any], former: dict[str, Any], names: Iterable[str], where: object, what: str
) -> None:
    """MetaSSLError when one of the settings `names` differs from that of the results in the file `where`.

    what: these results are, such as "a benchmark".
    """
    different = [
        f"--{name.replace('_', '-')} {asked[name]} (it has {former.get(name)})"
        for name in names
        if asked[name] != former.get(name)
    ]
    if different:
        raise MetaSSLError(
            f"{where} holds {what} with other settings: {', '.join(different)}; give the same ones to go on with it, "
            "or another --out"
        )
