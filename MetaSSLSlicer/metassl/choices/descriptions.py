"""What the catalogues tell of a choice. Plug-ins make theirs of these."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class FrameworkDescription:
    """name: as `--framework` takes it. summary: in one line. pair: whose agreement the region map shows. path: of
    its class.

    losses: those that it can be trained with. lacks: why it has no others, a clause. script: which of MetaSSL's
    published scripts its official losses follow: "mt", "cps" or "cct"; "" without such losses.
    """

    name: str
    title: str
    summary: str
    pair: str
    citation: str
    path: str
    losses: tuple[str, ...] = ("metassl", "plain")
    lacks: str = "its package offers no other"
    script: str = ""

    def to_json(self) -> dict[str, Any]:
        return {name: text for name, text in asdict(self).items() if name not in ("path", "lacks", "script")}


@dataclass(frozen=True)
class LossDescription:
    """name: as `--loss` takes it. summary: in one line."""

    name: str
    title: str
    summary: str

    def to_json(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True)
class StrategyDescription:
    """name: as `--strategy` takes it. summary: which cases come first, in one line. path: of its class."""

    name: str
    summary: str
    citation: str = ""
    path: str = ""

    def to_json(self) -> dict[str, str]:
        return {name: text for name, text in asdict(self).items() if name != "path"}


@dataclass(frozen=True)
class ImporterDescription:
    """title: what the convention is called. summary: how its folder looks, in one line. path: of its function, which
    takes a `metassl.intake.Tree` and returns a `Discovery`, or None where the convention does not apply.
    """

    name: str
    title: str
    summary: str
    path: str


@dataclass(frozen=True)
class ExporterDescription:
    """name: as `--format` takes it. title: what the format is called. path: of its function, which is called with a
    `metassl.exports.Export` and writes into its folder. takes: which of "labels" and "predictions"; neither where it is
    about the model. summary: what is written, in one line. engine: it needs packages of the engine, such as torch, so
    that Slicer leaves it to the Python that trains. terms: each structure needs a standard term.
    """

    name: str
    title: str
    path: str
    takes: tuple[str, ...] = ("labels", "predictions")
    summary: str = ""
    engine: bool = False
    terms: bool = False


@dataclass(frozen=True)
class LauncherDescription:
    """name: as round.json keeps it. title: where it trains. path: of its class, a `metassl.jobs.Launcher`. machine: the
    class is made with the name of a machine (`metassl machines`), whose kind is the launcher's name.
    """

    name: str
    title: str
    path: str
    machine: bool = False
