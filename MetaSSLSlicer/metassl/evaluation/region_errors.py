"""How often the segmentation is wrong in each region of the map."""

from __future__ import annotations

from typing import Any

import numpy as np

from metassl.project.masks import dilate
from metassl.project.regions import FLAGGED, KEY_OF

REGIONS = KEY_OF


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


def foreground_band(
    prediction: np.ndarray, truth: np.ndarray, voxels: int | tuple[int, int, int], ignore: int = 255
) -> np.ndarray:
    """Mask of the structures, predicted or annotated, grown by a box of `voxels`, for all axes or each, to both sides.

    Errors are rare in the far background; a rate in the band says more about the structures.
    """
    band = (prediction > 0) | ((truth > 0) & (truth != ignore))
    return dilate(band, voxels)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
