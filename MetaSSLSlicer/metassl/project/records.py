"""What a round wrote of its cases and of itself, as its readers see it; see round_files for the files.

The fields are the entries of the files, in their order. One that a former version did not write is None.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Optional, TypeVar

from .effort.expected import Effort

Rates = Mapping[str, Optional[float]]
"""{region: P(error)}, None where nothing was measured."""
Features = Mapping[str, Mapping[str, Optional[float]]]
"""{structure: {figure: value}} of a prediction, to predict its Dice from."""
Record = TypeVar("Record")


@dataclass(frozen=True)
class RankedCase:
    """A case's score (higher is looked at earlier), why, in a line, the parts that the score is made of, and how many
    seconds of work are expected (None: not known).
    """

    case: str
    score: float
    reason: str = ""
    parts: Mapping[str, float] = field(default_factory=dict)
    seconds: float | None = None


@dataclass(frozen=True)
class Ranking:
    """`cases`: the first to look at on top. `skipped`: {case: why it could not be ranked}.

    `names`: {name of a structure, as the reasons and parts have it: its value}; empty in rankings of older versions.
    """

    strategy: str = ""
    cases: list[RankedCase] = field(default_factory=list)
    skipped: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, int] = field(default_factory=dict)

    def with_present_names(self, present: Mapping[int, str]) -> Ranking:
        """By the names that the structures have now, {value: name}: they may have got others since."""
        changed = {name: present[value] for name, value in self.names.items() if present.get(value, name) != name}
        if not changed:
            return self
        word = re.compile(rf"(?<!\w)({'|'.join(map(re.escape, sorted(changed, key=len, reverse=True)))})(?!\w)")

        def named(case: RankedCase) -> RankedCase:
            parts = {changed.get(name, name): part for name, part in case.parts.items()}
            return replace(case, reason=word.sub(lambda found: changed[found[1]], case.reason), parts=parts)

        names = {changed.get(name, name): value for name, value in self.names.items()}
        return replace(self, cases=[*map(named, self.cases)], names=names)

    @staticmethod
    def of(document: Mapping[str, Any]) -> Ranking:
        """From ranking.json."""
        cases = [
            RankedCase(
                entry["case"],
                entry["score"],
                entry.get("reason") or "",
                entry.get("parts") or {},
                entry.get("seconds"),
            )
            for entry in document.get("cases") or ()
        ]
        skipped, names = document.get("skipped") or {}, document.get("names") or {}
        return Ranking(document.get("strategy") or "", cases, skipped, names)

    def to_json(self) -> dict[str, Any]:
        """The content of ranking.json."""
        return asdict(self)


@dataclass(frozen=True)
class Estimate:
    """A number 0..1 and what it lies in as often as `PredictedDice.level` says."""

    mean: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class PredictedDice(Estimate):
    """Of all structures together, and of each. `level`: 0..1."""

    level: float | None = None
    classes: Mapping[str, Estimate] = field(default_factory=dict)

    @staticmethod
    def of(document: Mapping[str, Any]) -> PredictedDice:
        """From its JSON object."""
        classes = {name: _estimate(each) for name, each in (document.get("classes") or {}).items()}
        whole = _estimate(document)
        return PredictedDice(whole.mean, whole.interval, document.get("level"), classes)


@dataclass(frozen=True)
class Summary:
    """A predicted case. Regions by their keys, structures by their names.

    `step`: of the model that predicted. `voxels`: of each region, and `band_voxels` of those in and round the
    structures; `structure_voxels`: predicted as one. `volume_ml`: of each structure, and `volume_range_ml` its range,
    which holds the true volume in `volume_level` of the cases (None: not measured). `mean_uncertainty`,
    `mutual_information`: 0..1, and `uncertainty`: the share of each flagged region, in and round the structures.
    `error_rates`, `class_error_rates` {structure: rates}: as measured of the round. `classes`: voxels, flagged voxels
    and summed entropy of each structure. `features`: of the network's bottleneck. `image_hashes`: one per channel file.
    `values`: of the structures that the model knew. `effort`: what it will cost to correct the case.
    """

    case: str | None = None
    round: int | None = None
    step: int | None = None
    voxels: Mapping[str, int] | None = None
    structure_voxels: int | None = None
    band_voxels: Mapping[str, int] | None = None
    volume_ml: Mapping[str, float] | None = None
    volume_range_ml: Mapping[str, list[float]] | None = None
    volume_level: float | None = None
    mean_uncertainty: float | None = None
    mutual_information: float | None = None
    uncertainty: Mapping[str, float] | None = None
    error_rates: Rates | None = None
    class_error_rates: Mapping[str, Rates] | None = None
    dice_features: Features | None = None
    predicted_dice: PredictedDice | None = None
    voxel_ml: float | None = None
    classes: Mapping[str, Mapping[str, float]] | None = None
    features: list[float] | None = None
    image_hashes: list[str] | None = None
    values: list[int] | None = None
    effort: Effort | None = None

    @staticmethod
    def of(document: Mapping[str, Any]) -> Summary:
        """From summary.json."""
        dice, effort = document.get("predicted_dice"), document.get("effort")
        return _known(
            Summary,
            document,
            predicted_dice=None if dice is None else PredictedDice.of(dice),
            effort=None if effort is None else Effort.of(effort),
        )

    def to_json(self) -> dict[str, Any]:
        """The content of summary.json."""
        return asdict(self)


@dataclass(frozen=True)
class ErrorRates:
    """How often the maps of a round are right, as measured on `validation_cases` and `corrected_cases`.

    `rates`, `class_rates` {structure: rates}: P(error | region). `volume`, `band`: the tables of
    `RegionErrors`, over all voxels and in and round the structures. `uncertainty`: how well it tells errors.
    `dice_model`: see `predict_dice`. `volume_model`: see `volume_range`. `error_model`: how well P(error) was learnt.
    `effort_model`: see `fit_effort_model`.
    """

    rates: Rates | None = None
    class_rates: Mapping[str, Rates] | None = None
    volume: Mapping[str, Any] | None = None
    band: Mapping[str, Any] | None = None
    uncertainty: Mapping[str, Any] | None = None
    dice_model: Mapping[str, Any] | None = None
    volume_model: Mapping[str, Any] | None = None
    error_model: Mapping[str, Any] | None = None
    effort_model: Mapping[str, Any] | None = None
    validation_cases: int | None = None
    corrected_cases: int | None = None

    @staticmethod
    def of(document: Mapping[str, Any]) -> ErrorRates:
        """From error_rates.json."""
        return _known(ErrorRates, document)

    def to_json(self) -> dict[str, Any]:
        """The content of error_rates.json."""
        return asdict(self)


LARGEST_OFFSET = 2.0
"""Of an operating point, either way."""


@dataclass(frozen=True)
class OperatingPoint:
    """One offset a structure on the log-probabilities of a round's model, {its value as text: offset}.

    used: whether its predictions are made with them. gain: of mean Dice on `cases` that they were not chosen on, and
    its standard error; None where it was not measured. reason: of what they were chosen and tested on, or why they are
    not used, in words. one_piece: structures that are shown as one piece, {value as text: in how many annotations they
    are one, 0 where that is not known any more}.
    """

    used: bool = False
    offsets: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    cases: int | None = None
    gain: float | None = None
    error: float | None = None
    one_piece: Mapping[str, int] = field(default_factory=dict)

    @staticmethod
    def of(document: Mapping[str, Any]) -> OperatingPoint:
        """From operating_point.json."""
        return _known(OperatingPoint, document)

    def to_json(self) -> dict[str, Any]:
        """The content of operating_point.json."""
        return asdict(self)

    def describe(self, names: Mapping[int, str]) -> str:
        """ "Head +0.50, Body -0.25 (...)" or "off (...)", and what is in one piece. names: by value."""

        def name(value: str) -> str:
            return names.get(int(value), f"value {value}")

        moved = ", ".join(f"{name(value)} {each:+.2f}" for value, each in self.offsets.items())
        told = f"{moved if self.used else 'off'} ({self.reason})"
        if not self.one_piece:
            return told
        pieces = ", ".join(
            f"{name(value)} ({number})" if number else name(value) for value, number in self.one_piece.items()
        )
        return f"{told}; in one piece, as in all annotations: {pieces}"


def _known(kind: type[Record], document: Mapping[str, Any], **read: Any) -> Record:
    """Of the entries that this version knows; those that are None count as not there."""
    names = {each.name for each in fields(kind)}  # type: ignore[arg-type]
    given = {name: value for name, value in document.items() if name in names and value is not None}
    return kind(**{**given, **read})


def _estimate(document: Mapping[str, Any]) -> Estimate:
    low, high = document["interval"]
    return Estimate(document["mean"], (low, high))
