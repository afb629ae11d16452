"""Finds the places of a predicted case that deserve a look, the one that pays most first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from metassl.imaging.geometry import Geometry, triple
from metassl.imaging.images import IGNORE

from ..effort.expected import looking_seconds, thick_axis
from ..effort.maps import Work
from ..masks import bounding_box, dilate
from ..regions import CODE_OF, DC, DS, REGIONS, US
from ..structures import LabelDefinition
from .pieces import cut

MOST = 100
SEVERITY = {"US": 0.25, "DC": 1.0, "DS": 1.0}
"""How likely an error is, as long as nobody has measured it."""

_NEAR_VOXELS = 3
_CRUMB_VOXELS = 5
_CRUMBS_KEPT = 3  # where there is nothing larger
_MOST_PIECES = 1000
_MOST_VOXELS = 2**22  # where nearly all is uncertain, as after a minute of training, the worst will do
_LARGE_VOXELS = 2**24
_LEAST_WORTH = 0.01  # of an uncertain voxel, however sure the model is that it is right

LONGEST_MM = 15.0
LEAST_VOXELS, MOST_VOXELS = 12, 24
MOST_SLICES = 5


@dataclass(frozen=True)
class Place:
    """Uncertain voxels that are looked at together. `rank` counts from 1.

    `index_xyz` and `ras` (mm): the voxel of it that is most likely wrong, for the cross. `ml`: its volume. `regions`:
    which share of it is US, DC and DS. `structure`: the name of what is predicted at the cross, or, where that lies
    `outside` of all structures, of the nearest one ("": none is near). `disputed`: one network says `structure` there
    and the other that it is none; known where a project has a single structure. `chance`: of its voxels to be wrong,
    0..1, as it was learnt or measured; None: not yet. `expected_ml`: how much of it is expected to be wrong, by an
    assumption where nothing was measured. `slices` show it, and `seconds` it takes to look at them; `work_seconds`: and
    to correct what is expected to be wrong deeper than the tolerance (None: not known). `extent_mm`: its longest side
    along the image's axes.
    """

    rank: int
    index_xyz: tuple[int, int, int]
    ras: tuple[float, float, float]
    ml: float
    regions: dict[str, float]
    structure: str
    outside: bool
    disputed: bool
    chance: float | None
    expected_ml: float
    slices: int
    seconds: float
    extent_mm: float
    work_seconds: float | None = None

    @property
    def main_region(self) -> str:
        """The key of the region that most of it is."""
        return max(self.regions, key=self.regions.__getitem__)


@dataclass(frozen=True)
class _Unsure:
    """The uncertain voxels: indices (n, 3) (z, y, x), region codes, how likely each is wrong; that for the cross."""

    voxels: np.ndarray
    codes: np.ndarray
    expected: np.ndarray
    likelihood: np.ndarray


@dataclass(frozen=True)
class _Case:
    """What the places of one case have in common."""

    segmentation: np.ndarray
    geometry: Geometry
    names: dict[int, str]
    measured: set[int] | None  # the region codes whose rate of error is known; None: P(error) itself is
    work: Work | None = None


def find_places(
    segmentation: np.ndarray,
    regions: np.ndarray,
    geometry: Geometry,
    labels: Iterable[LabelDefinition] = (),
    rates: Mapping[str, float | None] | None = None,
    error_probability: np.ndarray | None = None,
    uncertainty: np.ndarray | None = None,
    work: Work | None = None,
) -> list[Place]:
    """The places of a segmentation and its region map (uint8, z y x), at most `MOST`. May run in a thread.

    Uncertain is where the networks differ (DC, DS), and where they agree but are unsure (US) in or close to a
    structure. Uncertain voxels that touch are one place, or several where that is too large for one look (see
    `longest_sides`). Crumbs are left out. The places come in the order of

        ml that are expected to be wrong / seconds of looking   (see `looking_seconds`)

    What has to be corrected takes time too, but the same in whatever order the places come: it does not count here. Nor
    does it say more of where errors deeper than a tolerance are found first (tried on hippocampi).

    `error_probability` (float32, z y x): P(error) where the model has learnt it; without it a voxel is as likely wrong
    as its region in `rates`, measured, or in `SEVERITY`. The cross goes to the voxel with the highest P(error), else
    with the highest `uncertainty` (float32, z y x), else of the worst region; of several to the one deepest inside.
    `work`: what the case will cost, and its map of deep errors (float32, z y x).
    """
    known = {code: rate for name, code in CODE_OF.items() if (rate := (rates or {}).get(name)) is not None}
    uncertain = _uncertain(segmentation, regions)
    box = bounding_box(uncertain)
    if box is None:
        return []
    unsure = _weighed(uncertain[box], box, regions, known, error_probability, uncertainty)
    pieces = _in_pieces(unsure, _touching(unsure.voxels), longest_sides(geometry))
    order = np.argsort(pieces, kind="stable")
    order = order[np.searchsorted(pieces[order], 0) :]
    starts = np.flatnonzero(np.diff(pieces[order], prepend=-1))
    members = np.split(order, starts[1:])
    sizes = np.array([len(own) for own in members])
    slices = slices_to_look_at(_sides(unsure.voxels[order], starts), geometry)
    seconds = np.array([looking_seconds(int(each)) for each in slices])
    pays = np.add.reduceat(unsure.expected[order], starts) / seconds
    first = np.argsort(-pays, kind="stable")
    large = first[sizes[first] >= _CRUMB_VOXELS]
    kept = large[:MOST] if large.size else first[:_CRUMBS_KEPT]
    names = {label.value: label.name for label in labels}
    case = _Case(segmentation, geometry, names, None if error_probability is not None else set(known), work)
    return [
        _place(case, rank, _of(unsure, members[piece]), int(slices[piece]), float(seconds[piece]))
        for rank, piece in enumerate(kept, start=1)
    ]


def longest_sides(geometry: Geometry) -> tuple[int, int, int]:
    """What one look takes in, in voxels (z, y, x).

    15 mm, but not fewer than 12 voxels, since coarse voxels are seen together, and not more than 24, since fine ones
    show fine things. Across the slices of a stack it is 5 slices.
    """
    steps = np.array(geometry.spacing_zyx)
    sides = np.clip(np.floor(LONGEST_MM / steps + 1e-6), LEAST_VOXELS, MOST_VOXELS).astype(int)
    axis = thick_axis(geometry)
    if axis is not None:
        sides[axis] = MOST_SLICES
    return triple(int(side) for side in sides)


def slices_to_look_at(sides: np.ndarray, geometry: Geometry) -> np.ndarray:
    """How many slices show places with these sides in voxels (n, 3) (z, y, x): n whole numbers.

    In a stack its own slices count; on an even grid all views are as sharp, and the one with the fewest is looked at.
    """
    axis = thick_axis(geometry)
    return sides.min(axis=1) if axis is None else sides[:, axis]


def _uncertain(segmentation: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """The mask of what is uncertain."""
    uncertain: np.ndarray = (regions == DC.value) | (regions == DS.value)
    structures = (segmentation > 0) & (segmentation != IGNORE)
    near = bounding_box(structures, _NEAR_VOXELS)
    if near is not None:
        uncertain[near] |= dilate(structures[near], _NEAR_VOXELS) & (regions[near] == US.value)
    return uncertain


def _weighed(
    mask: np.ndarray,
    box: tuple[slice, ...],
    regions: np.ndarray,
    known: Mapping[int, float],
    error_probability: np.ndarray | None,
    uncertainty: np.ndarray | None,
) -> _Unsure:
    """The voxels of the mask, and how likely each is wrong."""
    codes = regions[box][mask]
    if error_probability is not None:
        expected = likelihood = _shares(error_probability[box][mask])
    else:
        severity = np.zeros(len(REGIONS) + 1)
        for code, rate in {**{CODE_OF[name]: rate for name, rate in SEVERITY.items()}, **known}.items():
            severity[code] = rate
        expected = likelihood = severity[codes]
        if uncertainty is not None:
            likelihood = _shares(uncertainty[box][mask])
    found = np.flatnonzero(mask)
    if len(found) > _MOST_VOXELS:
        worst = np.sort(np.argpartition(-expected, _MOST_VOXELS)[:_MOST_VOXELS])
        found, codes, expected, likelihood = found[worst], codes[worst], expected[worst], likelihood[worst]
    voxels = np.stack(np.unravel_index(found, mask.shape), axis=1).astype(np.int32)
    return _Unsure(voxels + np.array([s.start for s in box], np.int32), codes, expected, likelihood)


def _shares(values: np.ndarray) -> np.ndarray:
    shares: np.ndarray = np.clip(np.nan_to_num(values.astype(np.float64), nan=1.0), 0.0, 1.0)
    return shares


def _touching(voxels: np.ndarray) -> np.ndarray:
    """Which connected part each of the voxels belongs to; in a large image gaps of a voxel may be bridged."""
    first = voxels.min(axis=0)
    shape = voxels.max(axis=0) - first + 1
    step = 2 if np.prod(shape, dtype=np.int64) > _LARGE_VOXELS else 1
    blocks = tuple(((voxels - first) // step).T)
    filled = np.zeros(-(-shape // step), np.uint8)
    filled[blocks] = 1
    parts = sitk.ConnectedComponent(sitk.GetImageFromArray(filled), True)
    numbers: np.ndarray = sitk.GetArrayViewFromImage(parts)[blocks].astype(np.int32) - 1
    return numbers


def _in_pieces(unsure: _Unsure, parts: np.ndarray, longest: tuple[int, int, int]) -> np.ndarray:
    """The parts, and for those that are too large for one look their pieces; -1 for what is beyond `_MOST_PIECES`."""
    order = np.argsort(parts, kind="stable")
    starts = np.flatnonzero(np.diff(parts[order], prepend=-1))
    large = np.flatnonzero((_sides(unsure.voxels[order], starts) > longest).any(axis=1))
    worth = np.add.reduceat(unsure.expected[order], starts)[large]
    pieces, total, budget = parts.copy(), len(starts), _MOST_PIECES
    ends = np.append(starts[1:], len(order))
    for part in large[np.argsort(-worth, kind="stable")]:
        own = order[starts[part] : ends[part]]
        found = cut(unsure.voxels[own], unsure.expected[own] + _LEAST_WORTH, longest, budget) if budget else -1
        pieces[own] = np.where(found >= 0, found + total, -1)
        count = int(np.max(found)) + 1
        total, budget = total + count, budget - count
    return pieces


def _sides(voxels: np.ndarray, starts: np.ndarray | list[int]) -> np.ndarray:
    """How many voxels long groups of voxels are along each axis (groups, 3); each begins at one of `starts`."""
    sides: np.ndarray = np.maximum.reduceat(voxels, starts) - np.minimum.reduceat(voxels, starts) + 1
    return sides


def _of(unsure: _Unsure, own: np.ndarray) -> _Unsure:
    return _Unsure(unsure.voxels[own], unsure.codes[own], unsure.expected[own], unsure.likelihood[own])


def _place(case: _Case, rank: int, unsure: _Unsure, slices: int, seconds: float) -> Place:
    geometry, voxels = case.geometry, unsure.voxels
    cross = deepest(voxels, geometry, unsure.likelihood)
    index = triple(int(i) for i in voxels[cross][::-1])
    counts = np.bincount(unsure.codes, minlength=len(REGIONS) + 1)
    structure, outside = _structure_at(voxels[cross], case)
    is_known = case.measured is None or set(np.flatnonzero(counts)) <= case.measured
    return Place(
        rank=rank,
        index_xyz=index,
        ras=triple(float(c) for c in (geometry.ijk_to_ras @ [*index, 1.0])[:3]),
        ml=len(voxels) * geometry.voxel_ml,
        regions={name: float(counts[code] / len(voxels)) for name, code in CODE_OF.items() if counts[code]},
        structure=structure,
        outside=outside,
        disputed=bool(structure and len(case.names) == 1 and unsure.codes[cross] >= DC.value),
        chance=float(unsure.expected.mean()) if is_known else None,
        expected_ml=float(unsure.expected.sum() * geometry.voxel_ml),
        slices=slices,
        seconds=seconds,
        extent_mm=float((_sides(voxels, [0])[0] * geometry.spacing_zyx).max()),
        work_seconds=_work_seconds(case, voxels, slices),
    )


def _work_seconds(case: _Case, voxels: np.ndarray, slices: int) -> float | None:
    if case.work is None:
        return None
    effort, deep = case.work
    return effort.place_seconds(slices, effort.scale * float(deep[tuple(voxels.T)].sum()))


def deepest(voxels: np.ndarray, geometry: Geometry, likelihood: np.ndarray | None = None) -> int:
    """Which of the voxels (n, 3) (z, y, x) lies deepest inside, of several the closest to the middle of all.

    With `likelihood` (n) only those count that have the most of it.
    """
    worst = np.arange(len(voxels)) if likelihood is None else np.flatnonzero(likelihood >= likelihood.max() - 1e-9)
    if len(worst) > 1:
        depth = _depths(voxels, geometry)[worst]
        worst = worst[depth >= depth.max() - 1e-3]
    points = voxels * geometry.spacing_zyx
    return int(worst[np.linalg.norm(points[worst] - points.mean(axis=0), axis=1).argmin()])


def _depths(voxels: np.ndarray, geometry: Geometry) -> np.ndarray:
    """How far inside each of the voxels lies, in mm."""
    inside = voxels - (voxels.min(axis=0) - 1)
    mask = np.zeros(inside.max(axis=0) + 2, np.uint8)
    mask[tuple(inside.T)] = 1
    image = sitk.GetImageFromArray(mask)
    image.SetSpacing(geometry.spacing_xyz)
    everywhere = sitk.GetArrayFromImage(sitk.SignedMaurerDistanceMap(image, True, False, True))
    distances: np.ndarray = everywhere[tuple(inside.T)]
    return distances


def _structure_at(voxel: np.ndarray, case: _Case) -> tuple[str, bool]:
    """The name of the structure that is predicted there; or that of the nearest one within a look, and True."""

    def name(value: int) -> str:
        return case.names.get(value) or f"structure {value}"

    here = int(case.segmentation[tuple(voxel)])
    if here not in (0, IGNORE):
        return name(here), False
    reach = np.array(longest_sides(case.geometry))
    first = np.maximum(voxel - reach, 0)
    near = case.segmentation[tuple(slice(a, b) for a, b in zip(first, voxel + reach + 1))]
    found = np.argwhere((near > 0) & (near != IGNORE))
    if not len(found):
        return "", True
    nearest = np.linalg.norm((found + first - voxel) * case.geometry.spacing_zyx, axis=1).argmin()
    return name(int(near[tuple(found[nearest])])), True
