"""Where an image's voxels lie in space."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import SimpleITK as sitk

VOXEL_TOLERANCE = 1e-3
"""Of an origin, in voxels, and of a spacing, in its own length; besides what 32-bit numbers, as NIfTI's, round off."""

DRIFT_TOLERANCE = 0.05
"""Of a spacing, added up over all voxels of the axis, in voxels."""

DIRECTION_TOLERANCE = 3e-4
"""Of a direction cosine. NIfTI's quaternions, in 32-bit numbers, can be off by 2e-4."""


@dataclass(frozen=True)
class Placement:
    """Where the voxels of one grid are on another: index there = `steps` @ index here + `offset`, all in (x, y, z).

    steps: 3x3, a -1 or 1 in each row and column, since axes may be exchanged and flipped.
    """

    steps: np.ndarray
    offset: np.ndarray

    @property
    def turns(self) -> bool:
        """Whether axes are exchanged or flipped."""
        return not np.array_equal(self.steps, np.eye(3))

    @property
    def moves(self) -> bool:
        """Whether, with all axes the same, the first voxel of the one is not that of the other."""
        return not self.turns and bool(self.offset.any())


Number = TypeVar("Number", int, float)


def triple(values: Iterable[Number]) -> tuple[Number, Number, Number]:
    """Three numbers, one per axis."""
    first, second, third = values
    return first, second, third


@dataclass(frozen=True)
class Geometry:
    """A 3-D grid: size in voxels, spacing and origin in mm (LPS), 3x3 direction by rows."""

    size_xyz: tuple[int, int, int]
    spacing_xyz: tuple[float, float, float]
    origin_xyz: tuple[float, float, float]
    direction: tuple[float, ...]

    @staticmethod
    def of(image: sitk.Image | sitk.ImageFileReader) -> Geometry:
        """The geometry of a 3-D image, or of a 2-D one as a single slice of 1 mm.

        A negative spacing, which a header may hold, is an axis that runs the other way.
        """
        size, spacing, origin = image.GetSize(), image.GetSpacing(), image.GetOrigin()
        direction = image.GetDirection()
        if len(size) == 2:
            size, spacing, origin = (*size, 1), (*spacing, 1.0), (*origin, 0.0)
            a, b, c, d = direction
            direction = (a, b, 0.0, c, d, 0.0, 0.0, 0.0, 1.0)
        if len(size) != 3:
            raise ValueError(f"a geometry has 3 axes, not {len(size)}")
        signs = [-1.0 if step < 0 else 1.0 for step in spacing]
        return Geometry(
            triple(int(n) for n in size),
            triple(abs(float(n)) for n in spacing),
            triple(float(n) for n in origin),
            tuple(float(n) * signs[place % 3] for place, n in enumerate(direction)),
        )

    @property
    def shape_zyx(self) -> tuple[int, int, int]:
        """The shape of an array on this grid."""
        return self.size_xyz[::-1]

    @property
    def spacing_zyx(self) -> tuple[float, float, float]:
        """The spacing in mm in the order of an array's axes."""
        return self.spacing_xyz[::-1]

    @property
    def voxel_ml(self) -> float:
        """The volume of one voxel in millilitres."""
        return float(np.prod(self.spacing_xyz)) / 1000.0

    @property
    def ijk_to_ras(self) -> np.ndarray:
        """The 4x4 matrix from voxel indices (x, y, z) to RAS in mm, which is what Slicer counts in."""
        matrix = np.eye(4)
        matrix[:3, :3] = np.array(self.direction).reshape(3, 3) * np.array(self.spacing_xyz)
        matrix[:3, 3] = self.origin_xyz
        return np.diag([-1.0, -1.0, 1.0, 1.0]) @ matrix

    @staticmethod
    def of_affine(affine: np.ndarray, size_xyz: Sequence[int]) -> Geometry:
        """The grid of so many voxels whose `ijk_to_ras` is `affine`, up to the rounding of numbers."""
        matrix = np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.asarray(affine, dtype=float)
        spacing = np.linalg.norm(matrix[:3, :3], axis=0)
        direction = (matrix[:3, :3] / spacing).ravel().tolist()
        size = triple(int(n) for n in size_xyz)
        return Geometry(size, triple(spacing.tolist()), triple(matrix[:3, 3].tolist()), tuple(direction))

    @property
    def numbers(self) -> np.ndarray:
        """All of it as 18 float64 numbers, for files of arrays."""
        return np.array((*self.size_xyz, *self.spacing_xyz, *self.origin_xyz, *self.direction), np.float64)

    @staticmethod
    def of_numbers(numbers: Sequence[float] | np.ndarray) -> Geometry:
        """The geometry with these `numbers`."""
        values = [float(number) for number in numbers]
        size, spacing, origin = (values[first : first + 3] for first in (0, 3, 6))
        return Geometry(triple(map(int, size)), triple(spacing), triple(origin), tuple(values[9:]))

    def difference(self, other: Geometry) -> str:
        """What differs, as a readable phrase; '' when the two grids are the same up to the tolerances above."""
        if self.size_xyz != other.size_xyz:
            return f"size {_by(self.size_xyz)} against {_by(other.size_xyz)} voxels"
        found = self.placement(other)
        if isinstance(found, str):
            return found
        if found.turns:
            return _directions(self, other)
        return "" if not found.moves else _origins(self, other, float(np.abs(found.offset).max()))

    def placement(self, other: Geometry, slack: float = 0.0) -> Placement | str:
        """Where each voxel of this grid is on `other`, of whatever size; a phrase that says what differs if they do
        not coincide voxel for voxel. slack: voxels that the origin may be off besides.
        """
        axes, others = (np.array(grid.direction).reshape(3, 3) for grid in (self, other))
        cosines = others.T @ axes
        steps = np.rint(cosines)
        turned = np.abs(cosines - steps).max()
        if turned > DIRECTION_TOLERANCE or not np.array_equal(np.abs(steps) @ np.ones(3), np.ones(3)):
            return _directions(self, other)
        spacing, size = (np.abs(steps) @ np.array(values) for values in (self.spacing_xyz, self.size_xyz))
        stretched = np.abs(spacing / other.spacing_xyz - 1)
        if np.any(stretched > VOXEL_TOLERANCE + slack) or np.any(stretched * (size - 1) > DRIFT_TOLERANCE + slack):
            return "spacing {} against {} mm".format(*apart(self.spacing_xyz, other.spacing_xyz, "x"))
        exact = others.T @ (np.array(self.origin_xyz) - other.origin_xyz) / other.spacing_xyz
        offset = np.rint(exact)
        rounded = np.spacing(np.float32(max(self._farthest(), other._farthest()))) / np.array(other.spacing_xyz)
        allowed = VOXEL_TOLERANCE + slack + rounded + (turned + stretched.max()) * np.abs(exact).max()
        if np.any(np.abs(exact - offset) > allowed):
            return _origins(self, other, float(np.abs(exact - offset).max()))
        return Placement(steps.astype(int), offset.astype(int))

    def _farthest(self) -> float:
        """The largest coordinate in mm that the file of such a grid may be computed from."""
        return float(np.abs(self.origin_xyz).max() + np.max(np.array(self.size_xyz) * self.spacing_xyz))

    def apply(self, image: sitk.Image) -> sitk.Image:
        """Give `image` (of the same size) this spacing, origin and direction; returns it."""
        if tuple(image.GetSize()) != self.size_xyz:
            raise ValueError(f"size {_by(image.GetSize())} against {_by(self.size_xyz)} voxels")
        image.SetSpacing(self.spacing_xyz)
        image.SetOrigin(self.origin_xyz)
        image.SetDirection(self.direction)
        return image


def apart(mine: Sequence[float], other: Sequence[float], between: str = ", ") -> tuple[str, str]:
    """Both rows of numbers as text, with so many digits that the pair which differs most can be told apart."""
    worst = max(zip(mine, other), key=lambda pair: abs(pair[0] - pair[1]))
    digits = 5
    while digits < 17 and f"{worst[0]:.{digits}g}" == f"{worst[1]:.{digits}g}":
        digits += 1
    first, second = (between.join(f"{number:.{digits}g}" for number in row) for row in (mine, other))
    return first, second


def _directions(mine: Geometry, other: Geometry) -> str:
    return "direction ({}) against ({})".format(*apart(mine.direction, other.direction))


def _origins(mine: Geometry, other: Geometry, voxels: float) -> str:
    return "origin ({}) against ({}) mm, {:.2g} of a voxel".format(*apart(mine.origin_xyz, other.origin_xyz), voxels)


def _by(numbers: Sequence[float]) -> str:
    return "x".join(f"{number:g}" for number in numbers)
