"""How often the segmentation is wrong in each region of the map, and how far that map can be believed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from metassl.imaging.images import IGNORE
from metassl.project.masks import ERROR_BAND_VOXELS, dilate
from metassl.project.regions import FLAGGED, KEY_OF

from .uncertainty import UncertaintyScore, calibration_error_on_unseen, fit_isotonic

REGIONS = KEY_OF
BACKGROUND = "Background"


class RegionErrors:
    """Adds up voxels and errors per region over any number of cases."""

    def __init__(self) -> None:
        self.counts = np.zeros((5, 2), np.int64)
        """[region code, 0 voxels | 1 errors]"""

    def add(self, regions: np.ndarray, wrong: np.ndarray, valid: np.ndarray) -> RegionErrors:
        """Count one case; three arrays of one shape: codes 0..4, wrong voxels, voxels that count.

        Code 0 (not predicted) is counted nowhere. ValueError for another shape or code.
        """
        if not regions.shape == wrong.shape == valid.shape:
            raise ValueError(f"shapes {regions.shape}, {wrong.shape}, {valid.shape} differ")
        valid = valid.astype(bool, copy=False)
        codes, errors = regions[valid], wrong[valid].astype(bool, copy=False)
        if codes.size and (codes.max() > 4 or codes.min() < 0):
            raise ValueError(f"a region map holds 0 to 4, not {codes.max()}")
        self.counts[:, 0] += np.bincount(codes, minlength=5)
        self.counts[:, 1] += np.bincount(codes[errors], minlength=5)
        return self

    def table(self) -> dict[str, dict[str, Any]]:
        """Per region {"voxels", "errors", "error_rate", "share_of_volume", "share_of_errors"}.

        A rate or share without anything to divide by is None.
        """
        return {name: self._row(name) for name in REGIONS.values()}

    def flagged(self) -> dict[str, Any]:
        """The same for US, DC and DS together: what is not unanimous and confident."""
        return self._row(*FLAGGED)

    def _row(self, *names: str) -> dict[str, Any]:
        codes = [code for code, name in REGIONS.items() if name in names]
        voxels, errors = (int(n) for n in self.counts[codes].sum(axis=0))
        all_voxels, all_errors = (int(n) for n in self.counts[1:].sum(axis=0))
        return {
            "voxels": voxels,
            "errors": errors,
            "error_rate": _share(errors, voxels),
            "share_of_volume": _share(voxels, all_voxels),
            "share_of_errors": _share(errors, all_errors),
        }


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


def foreground_band(
    prediction: np.ndarray, truth: np.ndarray, voxels: int | tuple[int, int, int], ignore: int = IGNORE
) -> np.ndarray:
    """Mask of the structures, predicted or annotated, grown by a box of `voxels`, for all axes or each, to both sides.

    Errors are rare in the far background; a rate in the band says more about the structures.
    """
    band = (prediction > 0) | ((truth > 0) & (truth != ignore))
    return dilate(band, voxels)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _rates(errors: RegionErrors) -> dict[str, float | None]:
    table = errors.table()
    return {region: table[region]["error_rate"] for region in REGIONS.values()}
