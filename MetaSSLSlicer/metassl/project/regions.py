"""The four regions of agreement and confidence: codes, keys, titles, colours. Everybody takes them from here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Region:
    """One region of a region map. `opacity` is that of its colour over an image, 0..1."""

    value: int
    key: str
    name: str
    color: str
    opacity: float

    @property
    def rgb(self) -> tuple[float, float, float]:
        """The colour as three numbers 0..1."""
        return rgb_of(self.color)


UC = Region(1, "UC", "Unanimous, confident", "#009E73", 0.0)
US = Region(2, "US", "Unanimous, suspicious", "#F0E442", 0.18)
DC = Region(3, "DC", "Discrepant, confident", "#0072B2", 0.6)
DS = Region(4, "DS", "Discrepant, suspicious", "#D55E00", 0.6)

REGIONS = (UC, US, DC, DS)
NOT_PREDICTED = 0
KEYS = tuple(region.key for region in REGIONS)
KEY_OF = {region.value: region.key for region in REGIONS}
"""{code: key}"""
CODE_OF = {key: code for code, key in KEY_OF.items()}
FLAGGED = ("US", "DC", "DS")
"""The regions that a reader is sent to."""


def rgb_of(color: str) -> tuple[float, float, float]:
    """The colour "#RRGGBB" as three numbers 0..1."""
    red, green, blue = (int(color[i : i + 2], 16) / 255.0 for i in (1, 3, 5))
    return red, green, blue
