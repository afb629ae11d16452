"""Images and labels on the plan's grid and scale, ready for the network; each image is decoded and resampled once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from metassl.data.cache import PreprocessCache, content_key
from metassl.data.given_grid import GivenGrid, brought_to_given_grid
from metassl.data.grid import GridTransform
from metassl.data.intensity import Believable, believable, believed_of, scaling_of, without_padded_faces
from metassl.data.plan import Plan
from metassl.data.unlike import Description, intensities_of
from metassl.files.errors import ImageError, ProjectError
from metassl.imaging.geometry import Geometry
from metassl.imaging.hashes import image_hashes
from metassl.imaging.images import CaseImage, read_image

HELD_BYTES = 1 << 29


@dataclass(frozen=True)
class Prepared:
    """One image on the plan's grid: float16 (C, z, y, x) within -20..20, and the way back.

    float32, in whatever range it has there, on the grid of a model from elsewhere.
    """

    array: np.ndarray
    transform: GridTransform | GivenGrid


Prepare = Callable[[Sequence[Path], Plan, str], Prepared]
"""prepare(paths, plan, case): the image of a case on the grid of a plan. Raises ImageError."""


def to_grid(image: CaseImage, plan: Plan, case: str = "", believed: Sequence[Believable] | None = None) -> Prepared:
    """Scale the intensities and bring the image to the plan's axes and spacing.

    believed: what `believable` says of each channel, where that is known already.

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
    if plan.given is not None:
        return Prepared(*brought_to_given_grid(image, plan, case))
    transform = GridTransform.of(image.geometry, plan, case)
    result = np.empty((found, *transform.shape_zyx), dtype=np.float16)
    known = believed or [believable(channel) for channel in image.array]
    for channel, scheme, out, kept in zip(image.array, plan.intensity, result, known, strict=True):
        scaling = scaling_of(channel, scheme, kept)
        transform.to_grid(without_padded_faces(channel, kept), out, prepare=scaling)
    return Prepared(result, transform)


def labels_to_grid(labels: np.ndarray, geometry: Geometry, plan: Plan) -> np.ndarray:
    """Labels (z, y, x) uint8 on the grid that `to_grid` gives an image of this geometry.

    Values are kept, 255 (not annotated) too.
    """
    return GridTransform.of(geometry, plan).labels_to_grid(labels)


def prepare_image(paths: Sequence[Path], plan: Plan, case: str) -> Prepared:
    """A `Prepare` that reads the files."""
    return to_grid(read_image(paths, case), plan, case)


class PreparedImages:
    """Images on the grid of a plan, with their geometry, in the cache: made the first time that they are asked for."""

    def __init__(self, cache: PreprocessCache) -> None:
        self._cache = cache
        self._held: dict[tuple[str, ...], CaseImage] = {}

    def read(self, paths: Sequence[Path], case: str) -> CaseImage:
        """`read_image`. As long as they are small together, images are held until they are brought to a grid."""
        hashes = tuple(image_hashes(paths, case))
        image = read_image(paths, case)
        if image.array.nbytes + sum(each.array.nbytes for each in self._held.values()) <= HELD_BYTES:
            self._held[hashes] = image
        return image

    def on_demand(self, paths: Sequence[Path], plan: Plan, case: str) -> Callable[[], np.memmap]:
        """A function that gives the array; see `PreprocessCache.on_demand`."""
        return self._cache.on_demand(*self._entry(paths, plan, case), "image")

    def get(self, paths: Sequence[Path], plan: Plan, case: str) -> Prepared:
        """A `Prepare`. It reads the files where the cache cannot be used: it is there to save time only."""
        names = ("image", "grid") if plan.given is None else ("image", "grid", "box")
        try:
            arrays = self._cache.get(*self._entry(paths, plan, case), *names)
        except ProjectError:
            return prepare_image(paths, plan, case)
        geometry = Geometry.of_numbers(arrays["grid"])
        if plan.given is not None:
            return Prepared(arrays["image"], GivenGrid.of(geometry, plan, arrays["box"], case))
        return Prepared(arrays["image"], GridTransform.of(geometry, plan, case))

    def about(self, paths: Sequence[Path], plan: Plan, case: str) -> tuple[Description, str]:
        """What the image is like, and what of its values is not believed, in words. Raises MetaSSLError."""
        arrays = self._cache.get(*self._entry(paths, plan, case), "grid", "profile", "coarse", "believed")
        told = [Believable(*row).told for row in arrays["believed"].tolist()]
        geometry = Geometry.of_numbers(arrays["grid"])
        description = Description.on_grid(geometry, np.array(arrays["profile"]), np.array(arrays["coarse"]))
        return description, "; ".join(filter(None, told))

    def let_go(self) -> None:
        """Of the images that were read and never asked for on a grid."""
        self._held.clear()

    def _entry(self, paths: Sequence[Path], plan: Plan, case: str) -> tuple[str, Callable[[], Mapping]]:
        def make() -> dict[str, np.ndarray]:
            image = self._held.pop(tuple(image_hashes(paths, case)), None) or read_image(paths, case)
            believed = believed_of(image)
            profile, coarse = intensities_of(image, believed)
            prepared = to_grid(image, plan, case, believed)
            cut = prepared.transform.box if isinstance(prepared.transform, GivenGrid) else None
            return {
                "image": prepared.array,
                "grid": image.geometry.numbers,
                **({} if cut is None else {"box": np.array(cut)}),
                "profile": profile,
                "coarse": coarse,
                "believed": np.array([astuple(each) for each in believed]),
            }

        return content_key(paths, plan=plan.preprocessing(), about=3), make
