"""Writes a prediction into a project, as a finished training does."""

from __future__ import annotations

import numpy as np
from metassl.files import write_json
from metassl.imaging import Geometry, write_array
from metassl.project import Project
from metassl.project.regions import DC, DS, REGIONS, UC, US

PLACES = {"UC": (5, 11, 9), "US": (5, 3, 2), "DC": (5, 7, 5), "DS": (5, 3, 9)}
"""The middle (z, y, x) of the block of each region."""


def regionBlocks(shape: tuple[int, int, int]) -> np.ndarray:
    """A region map that is UC but for a block of 3x3x3 voxels of each other region."""
    regions = np.full(shape, UC.value, np.uint8)
    for region in (US, DC, DS):
        z, y, x = PLACES[region.key]
        regions[z - 1 : z + 2, y - 1 : y + 2, x - 1 : x + 2] = region.value
    return regions


def structureBlock(shape: tuple[int, int, int]) -> np.ndarray:
    """A segmentation with a box of the value 1 that holds all uncertain blocks."""
    segmentation = np.zeros(shape, np.uint8)
    segmentation[2:8, 1:10, 1:11] = 1
    return segmentation


def predict(
    project: Project, caseId: str, geometry: Geometry, segmentation=None, regions=None, rates=None, values=None
) -> None:
    """Let the project's latest round, or a first one, predict a case. values: of the structures that it knows."""
    regions = regionBlocks(geometry.shape_zyx) if regions is None else regions
    segmentation = structureBlock(geometry.shape_zyx) if segmentation is None else segmentation
    counts = np.bincount(regions.ravel(), minlength=5)
    near = np.bincount(regions[segmentation > 0], minlength=5)
    found = project.latest_round() or project.new_round({"labels": {}})
    paths = found.prediction(caseId)
    paths.folder.mkdir(parents=True)
    write_array(paths.segmentation, segmentation, geometry)
    write_array(paths.regions, regions, geometry)
    write_array(paths.uncertainty, np.where(regions == UC.value, 0.0, 0.9).astype(np.float32), geometry)
    summary = {
        "case": caseId,
        "voxels": {region.key: int(counts[region.value]) for region in REGIONS},
        "band_voxels": {region.key: int(near[region.value]) for region in REGIONS},
        "error_rates": rates,
        "values": values,
    }
    write_json(paths.summary, summary)
    project.mark_predicted([caseId])
