"""The four regions of agreement and confidence: values, names, colours, and their colour table."""

from __future__ import annotations

from dataclasses import dataclass

from .ColorTable import colorTable

COLOR_TABLE_NAME = "MetaSSL regions"
_SINGLETON_TAG = "MetaSSLRegions"


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
        return rgbOf(self.color)


UC = Region(1, "UC", "Unanimous, confident", "#009E73", 0.0)
US = Region(2, "US", "Unanimous, suspicious", "#F0E442", 0.18)
DC = Region(3, "DC", "Discrepant, confident", "#0072B2", 0.6)
DS = Region(4, "DS", "Discrepant, suspicious", "#D55E00", 0.6)

REGIONS = (UC, US, DC, DS)


def rgbOf(color: str) -> tuple[float, float, float]:
    """The colour "#RRGGBB" as three numbers 0..1."""
    return tuple(int(color[i : i + 2], 16) / 255.0 for i in (1, 3, 5))


def regionColorNode(scene):
    """The scene's colour table for region maps; made on the first call, one per scene.

    Where both networks agree and are sure nothing is painted, so that the image stays visible.
    """
    painted = [(f"{region.key}: {region.name}", *region.rgb, region.opacity) for region in REGIONS]
    return colorTable(scene, _SINGLETON_TAG, COLOR_TABLE_NAME, [("not predicted", 0.0, 0.0, 0.0, 0.0), *painted])
