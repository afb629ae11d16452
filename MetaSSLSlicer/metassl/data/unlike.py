"""Which images are unlike the others: in spacing, size, orientation or intensities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from metassl.imaging.geometry import Geometry
from metassl.imaging.images import CaseImage
from metassl.imaging.usual_grid import FEWEST, differences

from .intensity import Believable, Scaling, robust_zscore, sample_of
from .orientation import AxisOrder, patient_order

PROFILE_LIMIT = 6.0
"""Median absolute deviations, of the distance of an image's intensity profile from the usual one."""

PROFILE_FLOOR = 0.15
"""In deviations of the tissue: nearer profiles are alike, however alike the others are."""

BLOCKS = 4
"""So many blocks along each axis."""

LIKE, OPPOSITE = 0.3, 0.3
"""Where most images follow the usual blocks by more than LIKE, one that is against them by this share of it is odd."""

_QUANTILES = np.linspace(0.05, 0.95, 19)


@dataclass(frozen=True)
class Description:
    """spacing and size: mm along head-foot, front-back, left-right. profile: quantiles of the scaled intensities,
    (channels, 19): the shape of the histogram, which no scanner's scale changes. coarse: where it is bright and dark,
    in 4 x 4 x 4 blocks along the patient's axes, (channels, 64), each of mean 0 and deviation 1: what an inverted
    image turns over, however symmetric its histogram is.
    """

    spacing_mm: tuple[float, ...]
    size_mm: tuple[float, ...]
    orientation: str
    profile: np.ndarray
    coarse: np.ndarray

    @staticmethod
    def of(image: CaseImage, believed: Sequence[Believable]) -> Description:
        return Description.on_grid(image.geometry, *intensities_of(image, believed))

    @staticmethod
    def on_grid(geometry: Geometry, profile: np.ndarray, coarse: np.ndarray) -> Description:
        order = patient_order(geometry)
        spacing = order.reorder(geometry.spacing_zyx)
        size = tuple(np.multiply(spacing, order.reorder(geometry.shape_zyx)).tolist())
        return Description(spacing, size, _letters(order), profile, coarse)


def intensities_of(image: CaseImage, believed: Sequence[Believable]) -> tuple[np.ndarray, np.ndarray]:
    """Its profile and its coarse blocks, see `Description`. believed: what `believable` says of each channel."""
    order, profile, coarse = patient_order(image.geometry), [], []
    for channel, kept in zip(image.array, believed, strict=True):
        scaling = robust_zscore(channel, kept)
        values = np.clip(kept.of(sample_of(channel, 100_000)), scaling.low, scaling.high)
        profile.append((np.quantile(values, _QUANTILES) - scaling.centre) / scaling.scale)
        blocks = _blocks(channel, scaling).transpose(order.order)
        coarse.append(np.flip(blocks, tuple(axis for axis in range(3) if order.flips[axis])).ravel())
    return np.array(profile), np.array(coarse)


def _blocks(channel: np.ndarray, scaling: Scaling) -> np.ndarray:
    """The means of 4 x 4 x 4 blocks, of mean 0 and deviation 1; 0 where all are alike."""
    slabs = []
    for rows in np.array_split(np.arange(len(channel)), BLOCKS):
        slab = np.clip(channel[rows if len(rows) else [0]], scaling.low, scaling.high).mean(axis=0)
        for axis in range(2):
            parts = np.array_split(slab, min(BLOCKS, slab.shape[axis]), axis=axis)
            means = np.stack([part.mean(axis=axis) for part in parts], axis=axis)
            slab = np.take(means, np.arange(BLOCKS) * means.shape[axis] // BLOCKS, axis=axis)
        slabs.append(slab)
    blocks = np.array(slabs, np.float64)
    deviation = float(blocks.std())
    return (blocks - blocks.mean()) / deviation if deviation > 0 else np.zeros_like(blocks)


@dataclass(frozen=True)
class Usual:
    """What most images of a set are like. `distance`: from the usual profile, beyond which a profile is odd.

    orientation: "" where the images have several. coarse: None in what former versions wrote; `likeness`: how well the
    blocks of most images follow it, as a correlation.
    """

    spacing_mm: tuple[float, ...]
    size_mm: tuple[float, ...]
    orientation: str
    profile: np.ndarray
    distance: float
    coarse: np.ndarray | None = None
    likeness: float = 0.0

    @staticmethod
    def of(descriptions: Iterable[Description]) -> Usual | None:
        """None for fewer than 5 images."""
        found = list(descriptions)
        if len(found) < FEWEST:
            return None
        most, count = Counter(each.orientation for each in found).most_common(1)[0]
        profile = np.median([each.profile for each in found], axis=0)
        distances = np.array([_distance(each.profile, profile) for each in found])
        centre = float(np.median(distances))
        spread = float(np.median(np.abs(distances - centre))) * 1.4826
        alike = len({each.coarse.shape for each in found}) == 1
        coarse = np.median([each.coarse for each in found], axis=0) if alike else None
        return Usual(
            tuple(np.median([each.spacing_mm for each in found], axis=0).tolist()),
            tuple(np.median([each.size_mm for each in found], axis=0).tolist()),
            most if count >= 0.8 * len(found) else "",
            profile,
            centre + max(PROFILE_LIMIT * spread, PROFILE_FLOOR),
            coarse,
            0.0 if coarse is None else float(np.median([_likeness(each.coarse, coarse) for each in found])),
        )

    def differs(self, image: Description) -> str:
        """How an image differs from most of the set, in words; "" where it does not."""
        reasons = [differences(image.spacing_mm, image.size_mm, self.spacing_mm, self.size_mm)]
        if self.orientation and image.orientation != self.orientation:
            reasons.append(f"orientation {image.orientation} (most others {self.orientation})")
        if self.coarse is not None and self.likeness > LIKE:
            likeness = _likeness(image.coarse, self.coarse)
            if likeness < -OPPOSITE * self.likeness:
                reasons.append(
                    f"bright where the others are dark: is it inverted? (correlation {likeness:.2f}, most others "
                    f"{self.likeness:.2f})"
                )
        distance = _distance(image.profile, self.profile)
        if distance > self.distance:
            reasons.append(f"intensities unlike the others' (distance {distance:.2g} of the tissue's deviation)")
        return ", ".join(filter(None, reasons))

    def to_json(self) -> dict[str, Any]:
        coarse = None if self.coarse is None else self.coarse.round(4).tolist()
        return {**asdict(self), "profile": self.profile.round(4).tolist(), "coarse": coarse}

    @staticmethod
    def of_json(document: Mapping[str, Any]) -> Usual:
        profile = np.array(document["profile"], float)
        spacing, size = tuple(document["spacing_mm"]), tuple(document["size_mm"])
        coarse = None if document.get("coarse") is None else np.array(document["coarse"], float)
        return Usual(
            spacing,
            size,
            str(document["orientation"]),
            profile,
            float(document["distance"]),
            coarse,
            float(document.get("likeness", 0.0)),
        )


def unlike(descriptions: Mapping[str, Description]) -> dict[str, str]:
    """Case → how its image differs from most others, in words. {} for fewer than 5 images."""
    usual = Usual.of(descriptions.values())
    found = {case: usual.differs(each) for case, each in descriptions.items()} if usual else {}
    return {case: reasons for case, reasons in found.items() if reasons}


def _distance(profile: np.ndarray, usual: np.ndarray) -> float:
    return float(np.abs(profile - usual).mean()) if profile.shape == usual.shape else np.inf


def _likeness(coarse: np.ndarray, usual: np.ndarray) -> float:
    """The correlation of the blocks with the usual ones; 1 where that cannot be told."""
    size = float(np.sqrt((coarse * coarse).sum() * (usual * usual).sum())) if coarse.shape == usual.shape else 0.0
    return float((coarse * usual).sum() / size) if size > 0 else 1.0


def _letters(order: AxisOrder) -> str:
    """Where the axes x, y, z of an image lead, such as "LPS"."""
    toward = ("SI", "PA", "LR")
    axes = {axis: toward[i][order.flips[i]] for i, axis in enumerate(order.order)}
    return "".join(axes[axis] for axis in (2, 1, 0))
