"""Images and labels on the plan's grid and scale, ready for the network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metassl.data.grid import GridTransform
from metassl.data.intensity import scaling_of
from metassl.data.plan import Plan
from metassl.files.errors import ImageError
from metassl.imaging.geometry import Geometry
from metassl.imaging.images import CaseImage

__all__ = ["GridTransform", "Prepared", "labels_to_grid", "to_grid"]


@dataclass(frozen=True)
class Prepared:
    """One image on the plan's grid: float16 (C, z, y, x) within -20..20, and the way back."""

    array: np.ndarray
    transform: GridTransform


def to_grid(image: CaseImage, plan: Plan, case: str = "") -> Prepared:
    """Scale the intensities and bring the image to the plan's axes and spacing.

    Works in slabs: beside the image and the result (2 bytes a voxel and channel) it holds about
    100 MB. Raises ImageError when the number of channels is not the plan's, or the image would
    be impossibly large at the plan's spacing.
    """
    found = len(image.array)
    if found != plan.in_channels:
        name = f"case {case}: " if case else ""
        raise ImageError(
            f"{name}the image has {found} channel(s) but the model was trained with "
            f"{plan.in_channels}: give the same channels in the same order"
        )
    transform = GridTransform.of(image.geometry, plan, case)
    result = np.empty((found, *transform.shape_zyx), dtype=np.float16)
    for channel, scheme, out in zip(image.array, plan.intensity, result, strict=True):
        transform.to_grid(channel, out, prepare=scaling_of(channel, scheme))
    return Prepared(result, transform)


def labels_to_grid(labels: np.ndarray, geometry: Geometry, plan: Plan) -> np.ndarray:
    """Labels (z, y, x) uint8 on the grid that `to_grid` gives an image of this geometry.

    Values are kept, 255 (not annotated) too.
    """
    return GridTransform.of(geometry, plan).labels_to_grid(labels)
