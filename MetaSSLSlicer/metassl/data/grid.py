"""The way from an image's own grid to the plan's grid, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from metassl.data.orientation import AxisOrder, axis_order, thick_slices
from metassl.data.plan import Plan
from metassl.data.resample import Shape, Volume, label_slab, linear_slab, slab_ranges
from metassl.files.errors import ImageError
from metassl.imaging.geometry import Geometry, triple

Prepare = Callable[[torch.Tensor], torch.Tensor]
"""Of source rows, float32, before they are interpolated."""

MAX_VOXELS = 2**31
MAX_UPSAMPLING = 200
"""So many voxels may come of one: of slices 10 mm apart with pixels of 2.5 mm, at 1 mm, it is 63."""

ALWAYS_ALLOWED_VOXELS = 2**22
"""For tiny images: 16 MiB."""
SAME_SLICES = 2.5
"""In a stack, slices up to this many times thicker or thinner than the plan's are left alone."""


@dataclass(frozen=True)
class GridTransform:
    """Between one image's own grid and the plan's grid.

    Axes are permuted and flipped, never rotated: an oblique image stays oblique, so nothing is
    lost at its corners. Both grids cover exactly the same box. An axis whose spacing already fits
    is copied without interpolation, and so are the slices of a thick stack: merging 5 mm slices
    to 10 mm loses a tenth of the attainable Dice on small parts, and gains little.
    """

    geometry: Geometry
    axes: AxisOrder
    shape_zyx: Shape
    """Voxels along the grid axes."""

    @classmethod
    def of(cls, geometry: Geometry, plan: Plan, case: str = "") -> GridTransform:
        """The transform of an image with this geometry; the same inputs give the same grid.

        Raises ImageError when the plan's spacing would make the image impossibly large.
        """
        axes = axis_order(geometry, plan.axes)
        spacing = axes.reorder(geometry.spacing_zyx)
        target = list(plan.spacing_zyx)
        thick = max(range(3), key=lambda axis: target[axis])
        if thick_slices(target) and 1 / SAME_SLICES <= spacing[thick] / target[thick] <= SAME_SLICES:
            target[thick] = spacing[thick]
        shape = triple(map(_length, axes.reorder(geometry.shape_zyx), spacing, target))
        own = np.prod(geometry.shape_zyx, dtype=float)
        if np.prod(shape, dtype=float) > min(MAX_VOXELS, max(MAX_UPSAMPLING * own, ALWAYS_ALLOWED_VOXELS)):
            size = " x ".join(str(n) for n in reversed(shape))
            wanted = " x ".join(f"{s:g}" for s in reversed(plan.spacing_zyx))
            raise ImageError(
                f"{f'case {case}: ' if case else ''}the image would have {size} voxels at the "
                f"model's spacing of {wanted} mm: check the spacing in its header, or crop it"
            )
        return cls(geometry, axes, shape)

    @property
    def spacing_zyx(self) -> tuple[float, float, float]:
        """The grid's true spacing in mm: the plan's, up to rounding to whole voxels."""
        shape = self.axes.reorder(self.geometry.shape_zyx)
        spacing = self.axes.reorder(self.geometry.spacing_zyx)
        return triple(s * n / m for s, n, m in zip(spacing, shape, self.shape_zyx, strict=True))

    @property
    def of_grid(self) -> GridTransform:
        """From the grid to itself: of an image that lies on it already."""
        size, spacing = self.shape_zyx[::-1], self.spacing_zyx[::-1]
        own = Geometry(size, spacing, (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
        return GridTransform(own, AxisOrder((0, 1, 2), (False, False, False)), self.shape_zyx)

    def to_grid(self, channel: np.ndarray, out: np.ndarray, prepare: Prepare | None = None) -> None:
        """Bring one channel (z, y, x) of the image to the grid, into `out` (z, y, x)."""
        view = channel.transpose(self.axes.order)[None]
        for start, stop in slab_ranges(view.shape[1:], self.shape_zyx):
            block = _flipped(view, self.shape_zyx, start, stop, self.axes.flips, prepare)
            out[start:stop] = block[0].numpy()

    def labels_to_grid(self, labels: np.ndarray) -> np.ndarray:
        """Labels (z, y, x) uint8 of the image on the grid; 255 stays 255."""
        self._check(labels.shape, self.geometry.shape_zyx, "the label map")
        view = np.flip(labels.transpose(self.axes.order), tuple(int(axis) for axis in np.flatnonzero(self.axes.flips)))
        return _labels(view, self.shape_zyx)

    def restore(self, probabilities: Volume) -> Volume:
        """Bring (K, z, y, x) from the grid to the image's own grid, float32, on the CPU.

        A tensor gives a tensor, an array an array. The result takes K x 4 bytes a voxel; use
        `restore_slabs` for large images.
        """
        shape = (probabilities.shape[0], *self.geometry.shape_zyx)
        result = torch.empty(shape, dtype=torch.float32)
        for rows, (block,) in self.restore_slabs(probabilities):
            result[:, rows] = block.cpu()
        return result if isinstance(probabilities, torch.Tensor) else result.numpy()

    def restore_slabs(self, *volumes: Volume) -> Iterator[tuple[slice, tuple[torch.Tensor, ...]]]:
        """Yield the volumes (K, z, y, x) on the image's own grid, some rows at a time.

        Each item is (rows of the image's first array axis, one float32 tensor (K, rows, y, x) per
        volume, on that volume's device). Never holds more than about 100 MB beside its input, so
        a 512 x 512 x 600 image with many labels can be reduced to labels as it goes.
        """
        shape_in = self.axes.back(self.shape_zyx)
        channels = sum(v.shape[0] for v in volumes)
        for start, stop in slab_ranges(shape_in, self.geometry.shape_zyx, channels):
            yield slice(start, stop), self.restore_rows(start, stop, *volumes)

    def restore_rows(self, start: int, stop: int, *volumes: Volume) -> tuple[torch.Tensor, ...]:
        """The rows start..stop of `restore_slabs`."""
        for volume in volumes:
            self._check(volume.shape[1:], self.shape_zyx, "the prediction")
        order = (0, *(1 + axis for axis in self._back))
        views = [v.permute(order) if isinstance(v, torch.Tensor) else v.transpose(order) for v in volumes]
        flips = self.axes.back(self.axes.flips)
        return tuple(_flipped(view, self.geometry.shape_zyx, start, stop, flips) for view in views)

    def on_own_axes(self, volume: np.ndarray) -> np.ndarray:
        """A view of (..., z, y, x) on the grid with its axes as those of the image, still with the grid's spacing."""
        other = tuple(range(volume.ndim - 3))
        back = tuple(len(other) + axis for axis in self._back)
        turned = tuple(len(other) + int(axis) for axis in np.flatnonzero(self.axes.back(self.axes.flips)))
        view: np.ndarray = np.flip(volume.transpose(other + back), turned)
        return view

    @property
    def _back(self) -> tuple[int, int, int]:
        return self.axes.back((0, 1, 2))

    @staticmethod
    def _check(found: tuple, wanted: Shape, what: str) -> None:
        if tuple(found) != tuple(wanted):
            raise ValueError(f"{what} has shape {tuple(found)} (z, y, x), expected {wanted}")


def _length(voxels: int, spacing: float, target: float) -> int:
    """Voxels of an axis at the target spacing.

    A difference below half a voxel over the whole axis changes nothing. Nor is a single slice
    repeated: it knows nothing of the direction across it.
    """
    if voxels == 1:
        return 1
    return max(1, round(voxels * spacing / target))


def _flipped(
    view: Volume, shape: Shape, start: int, stop: int, flips: Sequence[bool], prepare: Prepare | None = None
) -> torch.Tensor:
    # flipping after the interpolation needs no copy of the whole volume
    if flips[0]:
        start, stop = shape[0] - stop, shape[0] - start
    block = linear_slab(view, shape, start, stop, prepare)
    turned = [axis + 1 for axis in range(3) if flips[axis]]
    return block.flip(turned) if turned else block


def _labels(view: np.ndarray, shape: Shape) -> np.ndarray:
    if view.shape == tuple(shape):
        return np.array(view, dtype=np.uint8, order="C")
    result = np.empty(shape, dtype=np.uint8)
    for start, stop in slab_ranges(view.shape, shape):
        result[start:stop] = label_slab(view, shape, start, stop)
    return result
