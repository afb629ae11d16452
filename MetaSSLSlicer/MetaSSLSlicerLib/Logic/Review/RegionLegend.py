"""The legend of a region map: what to do in each region, how large it is, and how often the model errs there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from metassl.imaging import Geometry
from metassl.project.places.words import millilitres
from metassl.project.words import sentence

from ...RegionColors import REGIONS
from ...Translation import _

if TYPE_CHECKING:
    from ..Case.CaseFiles import Prediction

_TRUSTED, _DOUBTED = 0.05, 0.3
"""A region in which the model is wrong less often than the first is trusted; more often than the second: looked at."""


@dataclass(frozen=True)
class LegendRow:
    """One region. `share`: of the voxels in and close round the structures. What is not known is None."""

    key: str
    title: str
    color: str
    ml: float | None
    share: float | None
    errorRate: float | None

    @property
    def mlText(self) -> str:
        """The volume as text: "0.012", "3.40", "1,250"."""
        return "–" if self.ml is None else millilitres(self.ml)

    @property
    def errorText(self) -> str:
        """The error rate in per cent, or that it is not yet measured."""
        if self.errorRate is None:
            return _("not yet measured")
        percent = 100.0 * self.errorRate
        if percent and percent < 0.1:
            return _("below 0.1\u00a0%")
        return _("{percent}\u00a0%").format(percent=f"{percent:.1f}" if percent < 9.95 else f"{percent:.0f}")


def advice(key: str, errorRate: float | None = None) -> str:
    """What a reviewer does in a region: by how often the model was wrong there, once that is known."""
    if errorRate is None:
        return {"UC": _("trust it"), "US": _("glance")}.get(key, _("look here"))
    if errorRate < _TRUSTED:
        return _("trust it")
    return _("glance") if errorRate < _DOUBTED else _("look here")


def title(key: str, errorRate: float | None = None) -> str:
    """What to do in a region, and why: "Glance: agree, unsure"."""
    return sentence(f"{advice(key, errorRate)}: {_reasons()[key]}").removesuffix(".")


def explanation(key: str) -> str:
    """What a region means, in a sentence."""
    return {
        "UC": _("Unanimous, confident: both networks say the same, and both are sure"),
        "US": _("Unanimous, suspicious: both networks say the same, but at least one is not sure"),
        "DC": _("Discrepant, confident: the networks differ, and one is surer than usual there"),
        "DS": _("Discrepant, suspicious: the networks differ, and both waver"),
    }[key]


def _reasons() -> dict[str, str]:
    return {
        "UC": _("agree, sure"),
        "US": _("agree, unsure"),
        "DC": _("differ, sure"),
        "DS": _("differ, unsure"),
    }


def rows(prediction: Prediction | None, geometry: Geometry | None) -> list[LegendRow]:
    """One row for each region, in the order UC, US, DC, DS; without numbers when there is no prediction."""
    voxels, near, rates = {}, {}, {}
    if prediction is not None:
        voxels = prediction.summary.voxels or {}
        near = prediction.summary.band_voxels or voxels
        rates = prediction.errorRates or {}
    total = sum(near.values())
    return [
        LegendRow(
            region.key,
            title(region.key, rates.get(region.key)),
            region.color,
            voxels[region.key] * geometry.voxel_ml if region.key in voxels else None,
            near.get(region.key, 0) / total if total else None,
            rates.get(region.key),
        )
        for region in REGIONS
    ]
