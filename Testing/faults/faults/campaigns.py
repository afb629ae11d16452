"""The registry of fault campaigns: a module of this package each, with run(times, folder, seed) -> Outcome, or more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    """What came of one campaign.

    fault: in words. times: how often it was injected. lost: how often work or a valid older state could not be read
    any more, or a state was neither the old nor the new one. recovered: how often all was well after it. message: one
    of the sentences that the user saw, "" if there was none to see.
    """

    fault: str
    times: int
    lost: int
    recovered: int
    message: str = ""


@dataclass(frozen=True)
class Campaign:
    """module: its name in this package. times: how often `make faults` injects, before --times scales it."""

    module: str
    times: int

    def run(self, scale: float, folder: Path, seed: int) -> Iterator[Outcome]:
        """Inject in the new folder `folder`; the same seed injects the same faults. Each outcome is a line."""
        found = import_module(f".{self.module}", __package__).run(max(1, round(self.times * scale)), folder, seed)
        yield from [found] if isinstance(found, Outcome) else found


CAMPAIGNS = (
    Campaign("power_loss", 2000),
    Campaign("disk_full", 500),
    Campaign("read_only", 30),
    Campaign("moved", 30),
    Campaign("images", 40),
    Campaign("killed_worker", 50),
    Campaign("killed_gui", 30),
    Campaign("many_users", 40),
    Campaign("out_of_memory", 16),
    Campaign("versions", 100),
    Campaign("long_use", 200),
)
