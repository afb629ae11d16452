"""The legend of a region map: what to do in each region, how large it is, and how often the model errs there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from metassl.project import Geometry
from metassl.project.places import millilitres

from ..RegionColors import REGIONS
from ..Translation import _

if TYPE_CHECKING:
    from .CaseFiles import Prediction


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


def advice(key: str) -> str:
    """What a reviewer does in a region, in a word or two."""
    return _words()[key][0]


def title(key: str) -> str:
    """What to do in a region, and why: "Glance: agree, unsure"."""
    return _words()[key][1]


def explanation(key: str) -> str:
    """What a region means, in a sentence."""
    return _words()[key][2]


def _words() -> dict[str, tuple[str, str, str]]:
    return {
        "UC": (
            _("trust it"),
            _("Trust it: agree, sure"),
            _("Unanimous, confident: both networks say the same, and both are sure"),
        ),
        "US": (
            _("glance"),
            _("Glance: agree, unsure"),
            _("Unanimous, suspicious: both networks say the same, but at least one is not sure"),
        ),
        "DC": (
            _("look here"),
            _("Look here: differ, sure"),
            _("Discrepant, confident: the networks differ, and one is surer than usual there"),
        ),
        "DS": (
            _("look here"),
            _("Look here: differ, unsure"),
            _("Discrepant, suspicious: the networks differ, and both waver"),
        ),
    }


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
            title(region.key),
            region.color,
            voxels[region.key] * geometry.voxel_ml if region.key in voxels else None,
            near.get(region.key, 0) / total if total else None,
            rates.get(region.key),
        )
        for region in REGIONS
    ]
