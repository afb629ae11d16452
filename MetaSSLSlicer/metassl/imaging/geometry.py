"""Where an image's voxels lie in space."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import SimpleITK as sitk

VOXEL_TOLERANCE = 1e-3
DIRECTION_TOLERANCE = 1e-4

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

    def difference(self, other: Geometry) -> str:
        """What differs, as a readable phrase; '' when the two grids are the same.

        Spacing and origin may differ by a thousandth of a voxel, direction cosines by 1e-4.
        """
        if self.size_xyz != other.size_xyz:
            return f"size {_by(self.size_xyz)} against {_by(other.size_xyz)} voxels"
        spacing = np.array(self.spacing_xyz)
        if np.any(np.abs(spacing - other.spacing_xyz) > VOXEL_TOLERANCE * spacing):
            return f"spacing {_by(self.spacing_xyz)} against {_by(other.spacing_xyz)} mm"
        cosines = np.abs(np.array(self.direction) - other.direction)
        if np.any(cosines > DIRECTION_TOLERANCE):
            return f"direction {_row(self.direction)} against {_row(other.direction)}"
        axes = np.array(self.direction).reshape(3, 3)
        shift = axes.T @ (np.array(self.origin_xyz) - other.origin_xyz)
        if np.any(np.abs(shift) > VOXEL_TOLERANCE * spacing):
            return f"origin {_row(self.origin_xyz)} against {_row(other.origin_xyz)} mm"
        return ""

    def apply(self, image: sitk.Image) -> sitk.Image:
        """Give `image` (of the same size) this spacing, origin and direction; returns it."""
        if tuple(image.GetSize()) != self.size_xyz:
            raise ValueError(f"size {_by(image.GetSize())} against {_by(self.size_xyz)} voxels")
        image.SetSpacing(self.spacing_xyz)
        image.SetOrigin(self.origin_xyz)
        image.SetDirection(self.direction)
        return image


def _by(numbers: tuple) -> str:
    return "x".join(f"{number:g}" for number in numbers)


def _row(numbers: tuple) -> str:
    return "(" + ", ".join(f"{number:.5g}" for number in numbers) + ")"
