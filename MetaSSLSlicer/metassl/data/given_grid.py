"""From an image to the grid of a model that nnU-Net has trained, and back, as nnU-Net itself does it.

Axes are permuted; what is zero all round the image in every channel is cut off; the values are normalised; splines
bring them to the model's spacing. Back, it is the logits that are interpolated; what was cut off is background.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch

from metassl.data.given import Given, Resampling
from metassl.data.grid import GridTransform
from metassl.data.orientation import AxisOrder, patient_order
from metassl.data.plan import Plan
from metassl.data.resample import Shape, Volume, label_slab, slab_ranges
from metassl.data.spline import along, axis_matrix
from metassl.files.errors import ImageError
from metassl.imaging.geometry import Geometry, triple
from metassl.imaging.images import CaseImage

APART = 3.0
"""Slices more than this many times as thick as their pixels are resampled apart."""

LEAST_DEVIATION = 1e-8
MAX_VOXELS = 2**31
Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class GivenGrid:
    """Between an image's own grid and that of the model; the counterpart of `grid.GridTransform`.

    box: the first and the last voxel but one of what is not cut off, along each grid axis. target: spacing in mm.
    """

    geometry: Geometry
    given: Given
    axes: AxisOrder
    box: Box
    target: tuple[float, float, float]

    @classmethod
    def of(cls, geometry: Geometry, plan: Plan, box: np.ndarray | Box | None = None, case: str = "") -> GivenGrid:
        """box: None for all of the image. Raises ImageError when the grid would be impossibly large."""
        given = _given(plan)
        axes = _axes(geometry, given)
        spacing = axes.reorder(geometry.spacing_zyx)
        if box is None:
            box = np.array([(0, length) for length in axes.reorder(geometry.shape_zyx)])
        sides = [(int(first), int(last)) for first, last in box]
        target = (spacing[0], *plan.spacing_zyx[1:]) if given.slicewise else plan.spacing_zyx
        made = cls(geometry, given, axes, (sides[0], sides[1], sides[2]), target)
        if np.prod(made.shape_zyx, dtype=float) > MAX_VOXELS:
            size, wanted = (" x ".join(f"{n:g}" for n in reversed(three)) for three in (made.shape_zyx, target))
            raise ImageError(
                f"{f'case {case}: ' if case else ''}the image would have {size} voxels at the model's spacing of "
                f"{wanted} mm: check the spacing in its header, or crop it"
            )
        return made

    @property
    def inner_shape(self) -> Shape:
        """Voxels of the image along the grid axes, without what is cut off."""
        return triple(last - first for first, last in self.box)

    @property
    def shape_zyx(self) -> Shape:
        """Voxels along the grid axes."""
        spacing = self.axes.reorder(self.geometry.spacing_zyx)
        sizes = zip(self.inner_shape, spacing, self.target, strict=True)
        return triple(max(1, round(mm / wanted * length)) for length, mm, wanted in sizes)

    @property
    def spacing_zyx(self) -> tuple[float, float, float]:
        """The grid's true spacing in mm."""
        spacing = self.axes.reorder(self.geometry.spacing_zyx)
        sizes = zip(spacing, self.inner_shape, self.shape_zyx, strict=True)
        return triple(mm * own / there for mm, own, there in sizes)

    @property
    def of_grid(self) -> GridTransform:
        """As `GridTransform.of_grid`."""
        spacing, shape = self.spacing_zyx[::-1], self.shape_zyx[::-1]
        own = Geometry(shape, spacing, (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
        return GridTransform(own, AxisOrder((0, 1, 2), (False, False, False)), self.shape_zyx)

    def inner(self, array: np.ndarray) -> np.ndarray:
        """The part of an array (z, y, x) on the image's grid that is not cut off, along the grid axes."""
        turned = np.flip(array.transpose(self.axes.order), tuple(axis for axis in range(3) if self.axes.flips[axis]))
        inner: np.ndarray = turned[tuple(slice(*side) for side in self.box)]
        return inner

    def resampled(self, channel: np.ndarray) -> np.ndarray:
        """float32: a channel of `inner` at the spacing of the grid."""
        if self.inner_shape == self.shape_zyx:
            return channel
        matrices, apart = self._matrices(self.inner_shape, self.shape_zyx, self.given.image)
        volume = torch.from_numpy(np.ascontiguousarray(channel, np.float32))
        kept = tuple(axis for axis in range(3) if axis != apart)
        low, high = volume.amin(kept, keepdim=True), volume.amax(kept, keepdim=True)  # no spline overshoots them
        for axis in kept:
            volume = along(volume, axis, matrices[axis])
        volume = torch.minimum(torch.maximum(volume, low), high)
        return (volume if apart is None else along(volume, apart, matrices[apart])).numpy()

    def labels_to_grid(self, labels: np.ndarray) -> np.ndarray:
        """Labels (z, y, x) uint8 of the image on the grid; 255 stays 255."""
        if labels.shape != self.geometry.shape_zyx:
            raise ValueError(f"the label map has shape {labels.shape}, expected {self.geometry.shape_zyx}")
        inner, shape = self.inner(labels), self.shape_zyx
        if inner.shape == shape:
            return np.array(inner, np.uint8, order="C")
        parts = [label_slab(inner, shape, first, last) for first, last in slab_ranges(inner.shape, shape)]
        return np.concatenate(parts)

    def restore(self, probabilities: Volume) -> Volume:
        """As `GridTransform.restore`."""
        result = torch.empty((len(probabilities), *self.geometry.shape_zyx))
        for rows, (block,) in self.restore_slabs(probabilities):
            result[:, rows] = block.cpu()
        return result if isinstance(probabilities, torch.Tensor) else result.numpy()

    def restore_slabs(self, *volumes: Volume) -> Iterator[tuple[slice, tuple[torch.Tensor, ...]]]:
        """As `GridTransform.restore_slabs`; a volume of one channel is interpolated as it is, others are softmaxes."""
        for volume in volumes:
            if tuple(volume.shape[1:]) != self.shape_zyx:
                raise ValueError(f"the prediction has shape {tuple(volume.shape[1:])}, expected {self.shape_zyx}")
        own = self.geometry.shape_zyx
        first = self.axes.order.index(0)  # the grid axis of the image's rows
        for start, stop in slab_ranges(own, own, sum(len(volume) for volume in volumes)):
            yield slice(start, stop), tuple(self._rows(volume, first, start, stop) for volume in volumes)

    def _rows(self, volume: Volume, first: int, start: int, stop: int) -> torch.Tensor:
        """Rows start..stop of the image: float32 (K, rows, y, x)."""
        if self.axes.flips[first]:
            length = self.geometry.shape_zyx[0]
            start, stop = length - stop, length - start
        low, high = self.box[first]
        inside = max(start, low), min(stop, high)
        shape = list(self.axes.reorder(self.geometry.shape_zyx))
        shape[first] = stop - start
        outside = torch.zeros(len(volume), *shape)
        if len(volume) > 1:
            outside[0] = 1.0
        if inside[0] < inside[1]:
            place = [slice(*side) for side in self.box]
            place[first] = slice(inside[0] - start, inside[1] - start)
            outside[(slice(None), *place)] = self._interpolated(volume, first, (inside[0] - low, inside[1] - low))
        turned = [axis + 1 for axis in range(3) if self.axes.flips[axis]]
        block = outside.flip(turned) if turned else outside
        return block.permute(0, *(1 + self.axes.order.index(axis) for axis in range(3)))

    def _interpolated(self, volume: Volume, first: int, rows: tuple[int, int]) -> torch.Tensor:
        """Of what is not cut off, these rows along the grid axis `first`: float32 (K, ...)."""
        matrices, _ = self._matrices(self.shape_zyx, self.inner_shape, self.given.probabilities)
        matrix = matrices[first][slice(*rows)]
        used = torch.nonzero(matrix.abs().sum(0)).flatten()
        span = slice(int(used[0]), int(used[-1]) + 1)
        part = volume[(slice(None), *[span if axis == first else slice(None) for axis in range(3)])]
        tensor = part.float() if isinstance(part, torch.Tensor) else torch.from_numpy(np.array(part, np.float32))
        if self.inner_shape == self.shape_zyx:
            return tensor
        if len(volume) > 1:
            tensor = tensor.clamp_min(torch.finfo(torch.float32).tiny).log()
        for axis in range(3):
            tensor = along(tensor, axis + 1, matrix[:, span] if axis == first else matrices[axis])
        return tensor.softmax(0) if len(volume) > 1 else tensor

    def _matrices(self, source: Shape, goal: Shape, how: Resampling) -> tuple[list[torch.Tensor], int | None]:
        """The matrix of each grid axis, and the axis of slices that are resampled apart."""
        apart = _apart(self.axes.reorder(self.geometry.spacing_zyx), self.target, how.slices_apart)
        orders = [how.slice_order if axis == apart else how.order for axis in range(3)]
        return [axis_matrix(*each) for each in zip(source, goal, orders, strict=True)], apart


def _apart(own: Sequence[float], target: Sequence[float], forced: bool | None) -> int | None:
    """The one axis across thick slices, of the image or else of the model; None where there is none."""
    for spacing in (own, target):
        if forced or (forced is None and max(spacing) / min(spacing) > APART):
            coarsest = [axis for axis in range(3) if max(spacing) / spacing[axis] == 1]
            return coarsest[0] if len(coarsest) == 1 else None
    return None


def _given(plan: Plan) -> Given:
    if plan.given is None:
        raise ValueError("the plan is one of ours")
    return plan.given


def _axes(geometry: Geometry, given: Given) -> AxisOrder:
    """nnU-Net takes the axes as they are stored, or brings them to (S, A, R)."""
    if not given.canonical:
        return AxisOrder(given.transpose, (False, False, False))
    patient = patient_order(geometry)  # (S, P, L)
    flips = (patient.flips[0], not patient.flips[1], not patient.flips[2])
    order = triple(patient.order[axis] for axis in given.transpose)
    z, y, x = (flips[axis] for axis in given.transpose)
    return AxisOrder(order, (z, y, x), patient.alignment)


def brought_to_given_grid(image: CaseImage, plan: Plan, case: str) -> tuple[np.ndarray, GivenGrid]:
    """The image as the model sees it: float32 (C, z, y, x), and the way back."""
    whole = GivenGrid.of(image.geometry, plan, case=case)
    something = np.zeros(whole.inner_shape, bool)
    for channel in image.array:
        something |= whole.inner(channel) != 0
    grid = GivenGrid.of(image.geometry, plan, _bounds(something), case)
    within = something[tuple(slice(*side) for side in grid.box)]
    mask = _filled(within) if any(scheme["scheme"] == "zscore_nonzero" for scheme in plan.intensity) else within
    result = np.empty((len(image.array), *grid.shape_zyx), np.float32)
    for channel, scheme, out in zip(image.array, plan.intensity, result, strict=True):
        out[:] = grid.resampled(normalised(grid.inner(channel).astype(np.float32), scheme, mask))
    return result, grid


def _bounds(something: np.ndarray) -> np.ndarray:
    """(3, 2): where the true voxels are; all of the volume where there is none."""
    bounds = []
    for axis in range(3):
        there = np.flatnonzero(something.any(tuple(other for other in range(3) if other != axis)))
        bounds.append((there[0], there[-1] + 1) if len(there) else (0, something.shape[axis]))
    return np.array(bounds)


def _filled(mask: np.ndarray) -> np.ndarray:
    """With its holes."""
    around = sitk.GetImageFromArray(np.pad(mask, 1).astype(np.uint8))
    filled = sitk.GetArrayFromImage(sitk.BinaryFillhole(around, fullyConnected=False, foregroundValue=1)) > 0
    inside: np.ndarray = filled[1:-1, 1:-1, 1:-1]
    return inside


def normalised(values: np.ndarray, scheme: Mapping[str, Any], mask: np.ndarray) -> np.ndarray:
    """float32 values (z, y, x) by an entry of `Plan.intensity`, as nnU-Net normalises them."""
    name = scheme["scheme"]
    if name == "ct_window":
        clipped: np.ndarray = np.clip(values, scheme["low"], scheme["high"])
        return (clipped - np.float32(scheme["mean"])) / np.float32(scheme["std"])
    if name == "rescale_01":
        values = values - values.min()
        return values / np.float32(max(float(values.max()), LEAST_DEVIATION))
    if name == "rgb_01":
        return values / np.float32(255)
    if name == "as_stored":
        return values
    chosen = values[mask] if name == "zscore_nonzero" else values
    mean, deviation = chosen.mean(dtype=np.float64), max(float(chosen.std(dtype=np.float64)), LEAST_DEVIATION)
    scaled = ((values - mean) / deviation).astype(np.float32)
    return np.where(mask, scaled, values) if name == "zscore_nonzero" else scaled
