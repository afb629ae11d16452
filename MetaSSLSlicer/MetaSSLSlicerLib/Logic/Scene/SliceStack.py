"""The slices of an image across one of its axes, and which of them a view shows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from metassl.imaging import Geometry

_ALONG = 0.99


@dataclass(frozen=True)
class SliceStack:
    """`axis`: of an array (z, y, x), across the slices, which are counted from 0."""

    geometry: Geometry
    axis: int

    @property
    def count(self) -> int:
        return self.geometry.shape_zyx[self.axis]

    @cached_property
    def normal(self) -> np.ndarray:
        """The direction across the slices, RAS, of the length 1."""
        direction = self.geometry.ijk_to_ras[:3, 2 - self.axis]
        return direction / np.linalg.norm(direction)

    @cached_property
    def _fromRas(self) -> np.ndarray:
        return np.linalg.inv(self.geometry.ijk_to_ras)[2 - self.axis]

    def numberAt(self, ras: tuple[float, float, float]) -> int:
        """The slice that a point in RAS lies in, or the nearest one."""
        return int(min(max(round(float(self._fromRas @ [*ras, 1.0])), 0), self.count - 1))

    def isAlong(self, view) -> bool:
        """Whether a view, a vtkMRMLSliceNode, shows whole slices."""
        matrix = view.GetSliceToRAS()
        across = np.array([matrix.GetElement(row, 2) for row in range(3)])
        return bool(abs(across @ self.normal) > _ALONG)

    def shownBy(self, view) -> int | None:
        """The slice that a view shows; None where that is another plane, or lies outside the image."""
        if not self.isAlong(view):
            return None
        matrix = view.GetSliceToRAS()
        number = round(float(self._fromRas @ [*(matrix.GetElement(row, 3) for row in range(3)), 1.0]))
        return number if 0 <= number < self.count else None
