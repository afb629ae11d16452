"""What a picture of a case is drawn from, read and checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from metassl.files import ImageError, LabelError
from metassl.imaging import Geometry, read_image, read_labels
from metassl.project import LabelDefinition

IGNORE = 255


@dataclass(frozen=True)
class PictureCase:
    """A case to draw. image: float32; segmentation, regions: uint8; all (z, y, x) on one grid.

    place: the voxel (x, y, z) that the slices go through.
    """

    image: np.ndarray
    segmentation: np.ndarray
    regions: np.ndarray
    geometry: Geometry
    labels: Sequence[LabelDefinition]
    place: tuple[int, int, int] | None = None


def readCase(job: dict[str, Any]) -> PictureCase:
    """Read the files of a job (see `__main__`). Of several image channels the first is taken.

    Raises MetaSSLError, naming the case and the file, when one is missing, damaged or on another
    grid than the image.
    """
    title = str(job.get("title", ""))
    missing = [key for key in ("image", "segmentation", "regions", "out") if not job.get(key)]
    if missing:
        raise ImageError(f"case {title}: the list of pictures gives no {', '.join(missing)}")
    try:
        labels = [
            LabelDefinition(label["value"], label["name"], label.get("color", "")) for label in job.get("labels", [])
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise LabelError(f"case {title}: its labels need a value and a name each") from error
    image = read_image([Path(job["image"])], title)
    maps = {}
    for key in ("segmentation", "regions"):
        maps[key], geometry = read_labels(Path(job[key]), title)
        if difference := image.geometry.difference(geometry):
            raise LabelError(f"case {title}: {job[key]} is not on the image's grid: {difference}")
    segmentation = np.where(maps["segmentation"] == IGNORE, np.uint8(0), maps["segmentation"])
    place = _place(job.get("place"), image.geometry, title)
    return PictureCase(image.array[0], segmentation, maps["regions"], image.geometry, labels, place)


def _place(given: Sequence[int] | None, geometry: Geometry, title: str) -> tuple[int, int, int] | None:
    if given is None:
        return None
    try:
        index = tuple(int(i) for i in given)
        inside = len(index) == 3 and all(0 <= i < n for i, n in zip(index, geometry.size_xyz))
    except (TypeError, ValueError):
        inside = False
    if not inside:
        raise ImageError(f"case {title}: its place needs to be the index (x, y, z) of a voxel of the image")
    return index
