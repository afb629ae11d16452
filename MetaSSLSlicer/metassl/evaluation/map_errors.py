"""How far a round's map can be believed: P(error | region, class), areas, and the uncertainty against the errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from metassl.imaging.images import IGNORE
from metassl.project.masks import ERROR_BAND_VOXELS

from .region_errors import REGIONS, RegionErrors, foreground_band
from .uncertainty import UncertaintyScore, calibration_error_on_unseen, fit_isotonic

BACKGROUND = "Background"


class MapErrors:
    """Adds up cases. The class of a voxel is the one that is shown there.

    Regions are counted in the whole volume, which gives the rates of the legend, and in the band: what lies within
    3 voxels of a structure, predicted or annotated. Classes and the uncertainty are counted in the band.
    """

    def __init__(self, names: Mapping[int, str]) -> None:
        """names: annotation value -> structure, without the background."""
        self.names = {0: BACKGROUND, **names}
        self.volume, self.band = RegionErrors(), RegionErrors()
        self.classes = {value: RegionErrors() for value in self.names}
        self.scores: list[UncertaintyScore] = []

    def add(
        self, segmentation: np.ndarray, regions: np.ndarray, uncertainty: np.ndarray | None, truth: np.ndarray
    ) -> None:
        """One case, arrays (z, y, x); voxels where `truth` is 255 count nowhere. ValueError for unequal shapes."""
        valid = truth != IGNORE
        wrong = segmentation != truth
        band = foreground_band(segmentation, truth, ERROR_BAND_VOXELS) & valid
        self.volume.add(regions, wrong, valid)
        self.band.add(regions, wrong, band)
        for value, errors in self.classes.items():
            errors.add(regions, wrong, band & (segmentation == value))
        if uncertainty is not None:
            self.scores.append(UncertaintyScore())
            self.scores[-1].add(uncertainty, wrong, band & (regions > 0))

    def rates(self) -> dict[str, float | None]:
        """P(error | region) over the whole volume."""
        return _rates(self.volume)

    def class_rates(self) -> dict[str, dict[str, float | None]]:
        """P(error | region, class) in the band, {class: {region: rate or None}}."""
        return {name: _rates(self.classes[value]) for value, name in self.names.items()}

    def to_json(self) -> dict[str, Any]:
        """{"rates", "class_rates", "volume", "band", "uncertainty"}; tables as in `RegionErrors.table`."""
        return {
            "rates": self.rates(),
            "class_rates": self.class_rates(),
            "volume": {"regions": self.volume.table(), "flagged": self.volume.flagged()},
            "band": {
                "within_voxels": ERROR_BAND_VOXELS,
                "regions": self.band.table(),
                "flagged": self.band.flagged(),
                "classes": {name: self.classes[value].table() for value, name in self.names.items()},
            },
            "uncertainty": self._uncertainty(),
        }

    def _uncertainty(self) -> dict[str, Any] | None:
        """With "calibration" where a map fitted on the other cases lowers the calibration error of a case."""
        if not self.scores:
            return None
        total = UncertaintyScore()
        for score in self.scores:
            total.merge(score)
        unseen = calibration_error_on_unseen([score.counts for score in self.scores])
        better = unseen is not None and unseen < (total.ece or 0.0)
        return {
            **total.summary(),
            "errors_in_flagged_share": total.errors_in_flagged_share(),
            "ece_calibrated": unseen,
            "calibration": fit_isotonic(total.counts) if better else None,
        }


def _rates(errors: RegionErrors) -> dict[str, float | None]:
    table = errors.table()
    return {region: table[region]["error_rate"] for region in REGIONS.values()}
