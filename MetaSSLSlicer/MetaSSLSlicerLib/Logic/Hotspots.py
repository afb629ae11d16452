"""Where to look first: the connected doubtful places of a prediction, the one with most expected errors first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from metassl.project import Geometry

from ..Grid import boundingBox, ijkToRas
from ..RegionColors import DC, DS, REGIONS, US

MOST = 50
SEVERITY = {"US": 0.25, "DC": 1.0, "DS": 1.0}
"""How likely an error is, as long as nobody has measured it."""

_KEYS = {region.value: region.key for region in REGIONS}
_CRUMB_VOXELS = 5
_CRUMBS_KEPT = 3  # where there is nothing larger
_NEAR_VOXELS = 3
_LONGEST_MM = 40.0  # a longer place, such as the rim of an organ, is walked through in pieces
_PIECE_MM = 20.0


@dataclass(frozen=True)
class Hotspot:
    """A doubtful place. `rank` counts from 1; `indexXyz` and `ras`: its middle, always inside it.

    `regions`: what share of it is US, DC and DS. `score`: ml that are expected to be wrong. `extentMm`: its longest
    side along the image's axes.
    """

    rank: int
    indexXyz: tuple[int, int, int]
    ras: tuple[float, float, float]
    ml: float
    regions: dict[str, float]
    score: float
    extentMm: float

    @property
    def mainRegion(self) -> str:
        """The key of the region that most of it is."""
        return max(self.regions, key=self.regions.__getitem__)


@dataclass(frozen=True)
class _Place:
    """Voxels (z, y, x) that belong together, and how many of them are of each region value."""

    voxels: np.ndarray
    counts: dict[int, int]
    score: float


def find(
    regions: np.ndarray,
    segmentation: np.ndarray,
    geometry: Geometry,
    severity: dict[str, float | None] | None = None,
    errorProbability: np.ndarray | None = None,
) -> list[Hotspot]:
    """The hotspots of a region map and a segmentation (uint8, z y x), at most `MOST`. May run in a thread.

    Places where the networks differ, and places close to a structure where they agree but are unsure. They are ranked
    by the volume that is expected to be wrong: from `errorProbability` (float32, z y x), where the model has learnt it,
    else from `severity`, the measured error rates of the regions. Crumbs are left out.
    """
    weights = {**SEVERITY, **{key: rate for key, rate in (severity or {}).items() if rate is not None}}
    places = []
    for mask, box in (_discrepant(regions), _unsure(regions, segmentation)):
        places += _places(mask, box, regions, geometry, weights, errorProbability)
    places.sort(key=lambda place: -place.score)
    kept = [place for place in places if len(place.voxels) >= _CRUMB_VOXELS] or places[:_CRUMBS_KEPT]
    toRas = ijkToRas(geometry)
    return [_hotspot(rank, place, geometry, toRas) for rank, place in enumerate(kept[:MOST], start=1)]


def _discrepant(regions: np.ndarray):
    """The mask where the networks differ, cropped, and the slices it was cropped to (None: nowhere)."""
    mask = (regions == DC.value) | (regions == DS.value)
    box = boundingBox(mask)
    return (None, None) if box is None else (mask[box], box)


def _unsure(regions: np.ndarray, segmentation: np.ndarray):
    """The same of unsure voxels in and close round the structures."""
    box = boundingBox((segmentation > 0) & (segmentation < 255), _NEAR_VOXELS)
    if box is None:
        return None, None
    structures = sitk.GetImageFromArray(((segmentation[box] > 0) & (segmentation[box] < 255)).astype(np.uint8))
    near = sitk.GetArrayFromImage(sitk.BinaryDilate(structures, [_NEAR_VOXELS] * 3, sitk.sitkBox)) > 0
    mask = near & (regions[box] == US.value)
    return (mask, box) if mask.any() else (None, None)


def _places(mask, box, regions, geometry, weights, errorProbability) -> list[_Place]:
    """The connected parts of a mask, long ones in pieces."""
    if mask is None:
        return []
    parts = sitk.GetArrayFromImage(sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype(np.uint8))))[mask]
    values = regions[box][mask]
    if errorProbability is None:
        severity = np.zeros(256)
        for value, key in _KEYS.items():
            severity[value] = weights.get(key, 0.0)
        expected = severity[values]
    else:
        expected = errorProbability[box][mask]
    sizes, scores = np.bincount(parts), np.bincount(parts, expected)
    numbers = np.flatnonzero(sizes >= _CRUMB_VOXELS)
    if not numbers.size:
        numbers = np.flatnonzero(sizes)
    numbers = numbers[np.argsort(-scores[numbers], kind="stable")][:MOST]
    # there may be thousands of crumbs: from here on only what can be among the first is looked at
    used = np.isin(parts, numbers)
    voxels = np.argwhere(mask)[used] + [s.start for s in box]
    parts, values, expected = parts[used], values[used], expected[used]
    places = []
    for number in numbers:
        inside = parts == number
        own, ownValues, ownExpected = voxels[inside], values[inside], expected[inside]
        for piece in _pieces(own, geometry):
            counts = np.bincount(ownValues[piece], minlength=256)
            present = {value: int(counts[value]) for value in _KEYS if counts[value]}
            score = geometry.voxel_ml * float(ownExpected[piece].sum())
            places.append(_Place(own[piece], present, score))
    return places


def _pieces(voxels: np.ndarray, geometry: Geometry) -> list[np.ndarray]:
    """Which of the voxels make up each piece: all of them, or for a long place those next to evenly spread centres."""
    if _extent(voxels, geometry) <= _LONGEST_MM:
        return [np.arange(len(voxels))]
    points = (voxels * geometry.spacing_zyx).astype(np.float32)
    nearest, piece = np.full(len(points), np.inf, np.float32), np.zeros(len(points), np.int32)
    center, count = 0, 0
    while count < MOST:  # each next centre is the voxel farthest from all others
        distance = np.linalg.norm(points - points[center], axis=1)
        closer = distance < nearest
        nearest[closer], piece[closer] = distance[closer], count
        count += 1
        center = int(nearest.argmax())
        if nearest[center] < _PIECE_MM:
            break
    return [found for number in range(count) if len(found := np.flatnonzero(piece == number))]


def _hotspot(rank: int, place: _Place, geometry: Geometry, toRas: np.ndarray) -> Hotspot:
    z, y, x = (int(i) for i in _thickest(place.voxels, geometry))
    total = len(place.voxels)
    return Hotspot(
        rank=rank,
        indexXyz=(x, y, z),
        ras=tuple(float(c) for c in (toRas @ [x, y, z, 1.0])[:3]),
        ml=total * geometry.voxel_ml,
        regions={_KEYS[value]: n / total for value, n in place.counts.items()},
        score=place.score,
        extentMm=_extent(place.voxels, geometry),
    )


def _thickest(voxels: np.ndarray, geometry: Geometry) -> np.ndarray:
    """The voxel deepest inside; of several the one closest to the middle of all."""
    first = voxels.min(axis=0) - 1
    mask = np.zeros(voxels.max(axis=0) - first + 2, np.uint8)
    mask[tuple((voxels - first).T)] = 1
    image = sitk.GetImageFromArray(mask)
    image.SetSpacing(geometry.spacing_xyz)
    depths = sitk.GetArrayFromImage(sitk.SignedMaurerDistanceMap(image, True, False, True))
    depth = depths[tuple((voxels - first).T)]
    deepest = voxels[depth >= depth.max() - 1e-3]
    points = deepest * geometry.spacing_zyx
    middle = (voxels * geometry.spacing_zyx).mean(axis=0)
    return deepest[int(np.linalg.norm(points - middle, axis=1).argmin())]


def _extent(voxels: np.ndarray, geometry: Geometry) -> float:
    return float(((np.ptp(voxels, axis=0) + 1) * geometry.spacing_zyx).max())
