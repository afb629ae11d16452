"""The legend of a region map: what each region is called, how large it is, and how often the model errs there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from metassl.project import Geometry

from ..RegionColors import REGIONS
from ..Translation import _

if TYPE_CHECKING:
    from .CaseFiles import Prediction


@dataclass(frozen=True)
class LegendRow:
    """One region. `share`: of the voxels in and close round the structures. What is not known is None."""

    key: str
    name: str
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


def rows(prediction: Prediction | None, geometry: Geometry | None) -> list[LegendRow]:
    """One row for each region, in the order UC, US, DC, DS; without numbers when there is no prediction."""
    voxels, near, rates = {}, {}, {}
    if prediction is not None:
        voxels = prediction.summary.get("voxels") or {}
        near = prediction.summary.get("band_voxels") or voxels
        rates = prediction.errorRates or {}
    total = sum(near.values())
    return [
        LegendRow(
            region.key,
            region.name,
            region.color,
            voxels[region.key] * geometry.voxel_ml if region.key in voxels else None,
            near.get(region.key, 0) / total if total else None,
            rates.get(region.key),
        )
        for region in REGIONS
    ]


def millilitres(ml: float) -> str:
    """A volume without a unit, with as many decimals as make sense."""
    decimals = 3 if ml < 0.0995 else 2 if ml < 9.95 else 1 if ml < 99.5 else 0
    return f"{ml:,.{decimals}f}"
