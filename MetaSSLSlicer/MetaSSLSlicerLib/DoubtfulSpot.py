"""Where a reviewer should look first, found in a region map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from .RegionColors import DC, DS, US

_NEAR_VOXELS = 3
_CROP_MARGIN = 1


@dataclass(frozen=True)
class DoubtfulSpot:
    """A voxel (x, y, z) deep inside the largest doubtful piece, and that piece.

    `kind` is "DC/DS", "US", "structure" (nothing is doubtful) or "middle" (nothing at all).
    `box`: for the axes x, y, z the first voxel and the one past the last.
    """

    indexXyz: tuple[int, int, int]
    kind: str
    voxels: int
    box: tuple[tuple[int, int], ...]


def findDoubtfulSpot(
    regions: np.ndarray, segmentation: np.ndarray, spacingXyz: tuple[float, float, float]
) -> DoubtfulSpot:
    """Find the spot from a region map and a segmentation, both uint8 (z, y, x).

    The largest connected piece where the networks differ comes first, then of where they are
    unsure near the structures, then the structures themselves.
    """
    structures = segmentation > 0
    unsure = regions == US.value
    if unsure.any() and structures.any():
        unsure &= _grown(structures)
    for kind, mask in (
        ("DC/DS", (regions == DC.value) | (regions == DS.value)),
        ("US", unsure),
        ("structure", structures),
    ):
        box = boundingBox(mask)
        if box is not None:
            return _deepest(mask, box, kind, spacingXyz)
    size = regions.shape[::-1]
    return DoubtfulSpot(tuple(n // 2 for n in size), "middle", 0, tuple((0, n) for n in size))


def boundingBox(mask: np.ndarray, margin: int = 0) -> tuple[slice, ...] | None:
    """The slices (z, y, x) that hold the true voxels and a margin; None when there are none."""
    slices = []
    for axis in range(mask.ndim):
        used = np.flatnonzero(mask.any(axis=tuple(a for a in range(mask.ndim) if a != axis)))
        if used.size == 0:
            return None
        first, last = max(int(used[0]) - margin, 0), int(used[-1]) + margin + 1
        slices.append(slice(first, min(last, mask.shape[axis])))
    return tuple(slices)


def pieces(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The connected pieces (over faces, edges and corners) of a mask: numbered, and their sizes."""
    numbered = sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype(np.uint8)), True)
    array = sitk.GetArrayFromImage(numbered)
    sizes = np.bincount(array.ravel())
    sizes[0] = 0
    return array, sizes


def _deepest(mask: np.ndarray, box, kind: str, spacingXyz) -> DoubtfulSpot:
    numbered, sizes = pieces(mask[box])
    largest = int(sizes.argmax())
    piece = np.zeros(mask.shape, bool)
    piece[box] = numbered == largest
    box = boundingBox(piece)
    # the padding makes the image's own border a border of the piece
    padded = sitk.GetImageFromArray(np.pad(piece[box], _CROP_MARGIN).astype(np.uint8))
    padded.SetSpacing(spacingXyz)
    depth = sitk.SignedMaurerDistanceMap(padded, True, False, True)
    inner = sitk.GetArrayFromImage(depth)
    place = np.unravel_index(int(inner.argmax()), inner.shape)
    index = [p - _CROP_MARGIN + s.start for p, s in zip(place, box, strict=True)]
    return DoubtfulSpot(
        tuple(int(i) for i in reversed(index)),
        kind,
        int(sizes[largest]),
        tuple((s.start, s.stop) for s in reversed(box)),
    )


def _grown(mask: np.ndarray) -> np.ndarray:
    box = boundingBox(mask, _NEAR_VOXELS)
    grown = np.zeros_like(mask)
    inner = sitk.GetImageFromArray(mask[box].astype(np.uint8))
    dilated = sitk.BinaryDilate(inner, [_NEAR_VOXELS] * 3, sitk.sitkBox)
    grown[box] = sitk.GetArrayFromImage(dilated) > 0
    return grown
