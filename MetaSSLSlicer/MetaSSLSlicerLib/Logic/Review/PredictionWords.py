"""What is said of a prediction: what to do in each region, how often the model errs there, and what Dice to expect."""

from __future__ import annotations

from dataclasses import dataclass

from metassl.imaging import Geometry
from metassl.project.places.words import millilitres, volume_text
from metassl.project.records import Summary
from metassl.project.regions import REGIONS
from metassl.project.words import sentence

from ...Translation import _
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


def legendRows(prediction: Prediction | None, geometry: Geometry | None) -> list[LegendRow]:
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
            regionTitle(region.key, rates.get(region.key)),
            region.color,
            voxels[region.key] * geometry.voxel_ml if region.key in voxels else None,
            near.get(region.key, 0) / total if total else None,
            rates.get(region.key),
        )
        for region in REGIONS
    ]


def regionAdvice(key: str, errorRate: float | None = None) -> str:
    """What a reviewer does in a region: by how often the model was wrong there, once that is known."""
    if errorRate is None:
        return {"UC": _("trust it"), "US": _("glance")}.get(key, _("look here"))
    if errorRate < _TRUSTED:
        return _("trust it")
    return _("glance") if errorRate < _DOUBTED else _("look here")


def regionTitle(key: str, errorRate: float | None = None) -> str:
    """What to do in a region, and why: "Glance: agree, unsure"."""
    reason = {"UC": _("agree, sure"), "US": _("agree, unsure"), "DC": _("differ, sure"), "DS": _("differ, unsure")}[key]
    return sentence(f"{regionAdvice(key, errorRate)}: {reason}").removesuffix(".")


def regionMeaning(key: str) -> str:
    """What a region means, in a sentence."""
    return {
        "UC": _("Unanimous, confident: both networks say the same, and both are sure"),
        "US": _("Unanimous, suspicious: both networks say the same, but at least one is not sure"),
        "DC": _("Discrepant, confident: the networks differ, and one is surer than usual there"),
        "DS": _("Discrepant, suspicious: the networks differ, and both waver"),
    }[key]


def expectedDice(summary: Summary) -> str:
    """ "expected Dice 0.84", or "" before a training has measured it."""
    found = summary.predicted_dice
    return "" if found is None else _("expected Dice {mean}").format(mean=f"{found.mean:.2f}")


def expectedDiceDetails(summary: Summary) -> list[str]:
    """The same with its range, where it comes from, and for each structure: lines."""
    found = summary.predicted_dice
    if found is None:
        return []
    low, high = (f"{end:.2f}" for end in found.interval)
    lines = [
        _("Expected Dice {mean} ({low} to {high})").format(mean=f"{found.mean:.2f}", low=low, high=high),
        _("Predicted from how the networks agree, by what was measured on validation cases and corrections"),
    ]
    return lines + [
        f"{name}: {each.mean:.2f} ({each.interval[0]:.2f} - {each.interval[1]:.2f})"
        for name, each in found.classes.items()
    ]


def volumes(summary: Summary) -> str:
    """ "Volumes: Liver 1,480 ml (1,420 to 1,530)", or "" where they were not measured."""
    ranges, parts = summary.volume_range_ml or {}, []
    for name, ml in (summary.volume_ml or {}).items():
        text = f"{name} {volume_text(ml)}"
        if name in ranges:
            low, high = (millilitres(end) for end in ranges[name])
            text = _("{volume} ({low}\u00a0to\u00a0{high})").format(volume=text, low=low, high=high)
        parts.append(text)
    return _("Volumes: {volumes}").format(volumes=", ".join(parts)) if parts else ""


def volumesHint(summary: Summary) -> str:
    """How often the ranges of the volumes hold the true one."""
    if summary.volume_level is None:
        return _("How often the ranges hold the true volume is measured by a training with validation cases")
    text = _("The ranges hold the true volume in {percent}\u00a0% of cases, as measured on validation cases")
    return text.format(percent=f"{100 * summary.volume_level:.0f}")
