"""The colour table of the four regions; the regions themselves are the project's."""

from __future__ import annotations

from metassl.project.regions import DC, DS, REGIONS, UC, US, Region
from metassl.project.regions import rgb_of as rgbOf

from .ColorTable import colorTable

COLOR_TABLE_NAME = "MetaSSL regions"
_SINGLETON_TAG = "MetaSSLRegions"
__all__ = ["DC", "DS", "REGIONS", "UC", "US", "Region", "regionColorNode", "rgbOf"]


def regionColorNode(scene):
    """The scene's colour table for region maps; made on the first call, one per scene.

    Where both networks agree and are sure nothing is painted, so that the image stays visible.
    """
    painted = [(f"{region.key}: {region.name}", *region.rgb, region.opacity) for region in REGIONS]
    return colorTable(scene, _SINGLETON_TAG, COLOR_TABLE_NAME, [("not predicted", 0.0, 0.0, 0.0, 0.0), *painted])
