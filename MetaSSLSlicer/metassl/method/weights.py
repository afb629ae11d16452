"""The weights of the regions (METHOD.md, section 4, "Weights")."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .regions import Region

Order = Literal["paper", "legend"]
ORDERS: dict[str, tuple[str, ...]] = {
    "paper": ("uc", "us", "dc", "ds"),  # the abstract: UC > US > DC > DS
    "legend": ("uc", "us", "ds", "dc"),  # the figure's legend: UC > US > DS > DC
}


@dataclass(frozen=True)
class RegionWeights:
    """One weight per region."""

    uc: float
    us: float
    dc: float
    ds: float

    def __getitem__(self, region: Region) -> float:
        return 0.0 if region == Region.IGNORED else getattr(self, region.name.lower())

    def table(self) -> list[float]:
        """Weights indexed by Region code 0..4."""
        return [self[region] for region in Region]


@dataclass(frozen=True)
class HalfWeights:
    """The region weights of the two halves of a batch."""

    unlabelled: RegionWeights
    labelled: RegionWeights


def rule_a(w: float, ratio: float, ratio_label: float, factor: float, order: Order = "legend") -> HalfWeights:
    """Powers of a ratio: W, W/r, W/(r^2 f), W/(r^3 f^3), and W/r_l^q for labelled voxels."""
    unlabelled = [w, w / ratio, w / (ratio**2 * factor), w / (ratio**3 * factor**3)]
    labelled = [w / ratio_label**rank for rank in range(4)]
    return HalfWeights(_ranked(unlabelled, order), _ranked(labelled, order))


def rule_b(
    w: float,
    w_label: float,
    ratio: float,
    ratio_label: float,
    factor: float,
    order: Order = "paper",
) -> HalfWeights:
    """A Gaussian-like fall with the rank q = 0..3: W exp(-(q r)^f), W_l exp(-(q r_l)^f)."""
    unlabelled = [w * math.exp(-((rank * ratio) ** factor)) for rank in range(4)]
    labelled = [w_label * math.exp(-((rank * ratio_label) ** factor)) for rank in range(4)]
    return HalfWeights(_ranked(unlabelled, order), _ranked(labelled, order))


def rule_c() -> HalfWeights:
    """The constants of the CCT script: rule B in the legend's order."""
    return rule_b(50.0, 50.0, 0.6, 0.3, 3.0, order="legend")


def _ranked(values: Sequence[float], order: Order) -> RegionWeights:
    return RegionWeights(**dict(zip(ORDERS[order], values, strict=True)))


SCRIPT_WEIGHTS: dict[str, HalfWeights] = {
    "MT_2D": rule_a(50.0, 1.25, 1.4, 5.0),
    "CPS_2D": rule_b(50.0, 85.0, 0.6, 0.3, 3.0),
    "CCT_2D": rule_c(),
    "MT_3D": rule_a(50.0, 1.25, 1.5, 5.0),
    "CPS_3D": rule_a(50.0, 1.25, 1.5, 5.0),
}
