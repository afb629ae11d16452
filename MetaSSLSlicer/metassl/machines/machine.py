"""One machine that somebody trains on: what it is called, how it is reached, and what a job gets there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from metassl.choices.launchers import MACHINE_KINDS
from metassl.files.errors import ProjectError
from metassl.files.json_kinds import Kind, list_of, misfit, text, texts, whole

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_WORD = re.compile(r"[^\s\-'\"$`\\;&|<>()][^\s'\"$`\\;&|<>()]*")
"""What a shell and an option take as one plain word."""
_TIME = re.compile(r"\d+(:\d\d){0,2}|\d+-\d\d?(:\d\d){0,2}|UNLIMITED|INFINITE")
_MEMORY = re.compile(r"\d+([KMGT]B?)?", re.IGNORECASE)
_MOST = 4096
"""GPUs or processors on one node."""
_NO_NAMES = ("local", "this")


@dataclass(frozen=True)
class Machine:
    """kind: the name of its launcher ("slurm", "ssh" ...). All that is "" or 0 is left to the machine.

    python: the interpreter there. setup: lines of a shell that come before it, as `module load cuda`. engine: the
    folder there that holds the package metassl; "" where it is installed, or lies as it does here.

    host: as `ssh` takes it. folder: where projects are copied to. maps: pairs (folder here, the same folder there).

    partition, gpus, cpus, memory ("16G"), time ("4:00:00" or "2-00:00:00"): what a job asks Slurm for; options: further
    ones of `sbatch`, as they are.
    """

    name: str
    kind: str
    python: str = ""
    setup: tuple[str, ...] = ()
    engine: str = ""
    host: str = ""
    folder: str = ""
    maps: tuple[tuple[str, str], ...] = ()
    partition: str = ""
    gpus: int = 0
    cpus: int = 0
    memory: str = ""
    time: str = ""
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name in _NO_NAMES:
            raise ProjectError(
                f"{self.name!r} cannot name a machine: take letters, digits, '.', '-' or '_', such as gpu-room, "
                "and not 'local'"
            )
        if self.kind not in MACHINE_KINDS:
            raise ProjectError(f"machine {self.name}: there is no kind {self.kind!r}; use {', '.join(MACHINE_KINDS)}")

        if self.kind.startswith("ssh") and not self.host:
            raise ProjectError(f"machine {self.name}: it is reached by ssh, and has no host: give it with --host")
        if self.host and not _WORD.fullmatch(self.host):
            raise ProjectError(f"machine {self.name}: {self.host!r} is no host that ssh could be given")
        self._check_for_slurm()

    def _check_for_slurm(self) -> None:
        """What sbatch would refuse, or take for something else, when a training begins."""
        told = (
            ("partition", self.partition, all(map(_WORD.fullmatch, self.partition.split(","))), "gpu, or gpu,long"),
            ("time", self.time, _TIME.fullmatch(self.time), "4:00:00, 2-00:00:00, or 90 for minutes"),
            ("memory", self.memory, _MEMORY.fullmatch(self.memory), "16G or 500M"),
        )
        for what, value, is_fine, example in told:
            if value and not is_fine:
                raise ProjectError(f"machine {self.name}: {value!r} is no {what} that Slurm takes: write {example}")
        for what, number in (("GPUs", self.gpus), ("processors", self.cpus)):
            if not 0 <= number <= _MOST:
                raise ProjectError(f"machine {self.name}: no node has {number} {what}")

    def to_json(self) -> dict[str, Any]:
        """What there is to say of it, without its name."""
        told = asdict(self)
        return {name: value for name, value in told.items() if name != "name" and value not in ("", 0, (), [])}

    @staticmethod
    def of_json(name: str, document: Mapping[str, Any]) -> Machine:
        """Raises ProjectError where an entry is unknown, or of the wrong kind."""
        unknown = sorted(set(document) - set(_KINDS))
        wrong = misfit(document, _KINDS) or ("" if document.get("kind") else "kind")
        if unknown or wrong:
            raise ProjectError(f"machine {name}: its entry {(unknown or [wrong])[0]!r} is unknown or wrong")
        known = {key: value for key, value in document.items() if value is not None}
        for key in ("setup", "options"):
            known[key] = tuple(known.get(key, ()))
        known["maps"] = tuple((here, there) for here, there in known.get("maps", ()))
        return Machine(name, **known)


_KINDS: dict[str, Kind] = {
    **{each.name: text for each in fields(Machine) if each.name != "name"},
    **dict.fromkeys(("gpus", "cpus"), whole),
    **dict.fromkeys(("setup", "options"), texts),
    "maps": list_of(list_of(text, 2)),
}
