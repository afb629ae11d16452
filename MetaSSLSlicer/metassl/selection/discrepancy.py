"""Cases first in which the two networks differ, or are unsure, in and round the structures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .base import Scored, register

WEIGHTS = {"DC": 1.0, "DS": 1.0, "US": 0.5}
EMPTY = 1.0  # added where no structure was found: those cases come first


@register("discrepancy")
class Discrepancy:
    """(DC + DS + 0.5 US voxels) / voxels in and within two voxels of the predicted structures."""

    def score(self, summary: Mapping[str, Any]) -> Scored:
        """Parts: the weighted share of each region."""
        band = summary["band_voxels"]
        size = sum(int(count) for count in band.values())
        shares = {region: int(band[region]) / max(size, 1) for region in WEIGHTS}
        parts = {region: WEIGHTS[region] * share for region, share in shares.items()}
        if not int(summary["structure_voxels"]):
            parts["empty"] = EMPTY
            return Scored(sum(parts.values()), "no structure was found in this image", parts)
        reason = (
            f"in and round the structures, networks differ on {_percent(shares['DC'] + shares['DS'])} "
            f"and agree without confidence on {_percent(shares['US'])}"
        )
        return Scored(sum(parts.values()), reason, parts)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share < 0.095 else f"{100 * share:.0f} %"
