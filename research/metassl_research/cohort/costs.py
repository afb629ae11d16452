"""What a person's work costs, in seconds, and where that is known from; and the work that was done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from metassl.files.errors import MetaSSLError
from metassl.files.json_files import read_json
from metassl.project.effort.cost import Costs

USUAL = Path(__file__).with_name("costs.json")
KINDS = ("open", "look", "correct", "draw")


def read_costs(path: Path = USUAL) -> tuple[Costs, dict[str, str]]:
    """The costs in a file, {name: {"seconds", "source"}}, and {name: source}. MetaSSLError when one is missing."""
    content = read_json(path, "the table of costs")
    seconds, sources = {}, {}
    for name in (each.name for each in fields(Costs)):
        entry = content.get(name)
        entry = entry if isinstance(entry, dict) else {}
        found = entry.get("seconds")
        if isinstance(found, bool) or not isinstance(found, (int, float)) or not 0 <= found < 1e6:
            raise MetaSSLError(
                f'{path} does not say what {name} costs: "{name}": {{"seconds": 10, "source": "assumed"}}'
            )
        if not (source := str(entry.get("source") or "")):
            raise MetaSSLError(f'{path} does not say where the seconds of {name} are from: give its "source"')
        seconds[name], sources[name] = float(found), source
    return Costs(**seconds), sources


@dataclass(frozen=True)
class Work:
    """Seconds of a person, by kind."""

    open: float = 0.0
    look: float = 0.0
    correct: float = 0.0
    draw: float = 0.0

    def __add__(self, other: Work) -> Work:
        return Work(*(getattr(self, kind) + getattr(other, kind) for kind in KINDS))

    @property
    def seconds(self) -> float:
        return self.open + self.look + self.correct + self.draw

    def to_json(self) -> dict[str, float]:
        return {kind: round(value, 2) for kind, value in asdict(self).items()}


def total(works: Iterable[Work]) -> Work:
    """All of it."""
    return sum(works, Work())
