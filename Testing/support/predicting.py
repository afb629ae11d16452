"""Writes a prediction into a project, as a finished training does."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
from metassl.files import write_json
from metassl.imaging import Geometry, write_array
from metassl.imaging.unit_maps import write_unit_map
from metassl.project import Project
from metassl.project.effort.expected import Effort, EffortModel, expected_effort
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
    project: Project,
    caseId: str,
    geometry: Geometry,
    segmentation=None,
    regions=None,
    rates=None,
    values=None,
    deep=None,
) -> None:
    """Let the project's latest round, or a first one, predict a case. values: of the structures that it knows; deep:
    {slice: how many voxels in it are expected to be wrong deeper than the tolerance}.
    """
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
    if deep is not None:
        summary["effort"] = asdict(expectedDeep(paths.deep_errors, geometry, segmentation, deep))
    write_json(paths.summary, summary)
    project.mark_predicted([caseId])


def expectedDeep(path: Path, geometry: Geometry, segmentation: np.ndarray, voxels: dict[int, float]) -> Effort:
    """Write a map of deep errors with so many in each of these slices, at its voxel (4, 6); measured on 5 cases."""
    deep = np.zeros(geometry.shape_zyx, np.float32)
    deep[segmentation > 0] = 1e-4
    for number, count in voxels.items():
        deep[number, 3:6, 5:8] = count / 90
    write_unit_map(path, deep, geometry)
    return expected_effort(segmentation, deep, geometry, EffortModel(2.0, 10.0, 2.5, 5))
