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

from .intensity import Believable, robust_zscore, sample_of
from .orientation import AxisOrder, patient_order

PROFILE_LIMIT = 6.0
"""Median absolute deviations, of the distance of an image's intensity profile from the usual one."""

PROFILE_FLOOR = 0.15
"""In deviations of the tissue: nearer profiles are alike, however alike the others are."""

_QUANTILES = np.linspace(0.05, 0.95, 19)


@dataclass(frozen=True)
class Description:
    """spacing and size: mm along head-foot, front-back, left-right. profile: quantiles of the scaled intensities,
    (channels, 19): the shape of the histogram, which no scanner's scale changes and an inverted image turns over.
    """

    spacing_mm: tuple[float, ...]
    size_mm: tuple[float, ...]
    orientation: str
    profile: np.ndarray

    @staticmethod
    def of(image: CaseImage, believed: Sequence[Believable]) -> Description:
        return Description.with_profile(image.geometry, profile_of(image.array, believed))

    @staticmethod
    def with_profile(geometry: Geometry, profile: np.ndarray) -> Description:
        order = patient_order(geometry)
        spacing = order.reorder(geometry.spacing_zyx)
        size = tuple(np.multiply(spacing, order.reorder(geometry.shape_zyx)).tolist())
        return Description(spacing, size, _letters(order), profile)


def profile_of(array: np.ndarray, believed: Sequence[Believable]) -> np.ndarray:
    """Of an image (C, z, y, x) and what `believable` says of each channel: (C, 19), see `Description`."""
    profile = []
    for channel, kept in zip(array, believed, strict=True):
        scaling = robust_zscore(channel, kept)
        values = np.clip(sample_of(channel, 100_000), scaling.low, scaling.high)
        profile.append((np.quantile(values, _QUANTILES) - scaling.centre) / scaling.scale)
    return np.array(profile)


@dataclass(frozen=True)
class Usual:
    """What most images of a set are like. `distance`: from the usual profile, beyond which a profile is odd.

    orientation: "" where the images have several.
    """

    spacing_mm: tuple[float, ...]
    size_mm: tuple[float, ...]
    orientation: str
    profile: np.ndarray
    distance: float

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
        return Usual(
            tuple(np.median([each.spacing_mm for each in found], axis=0).tolist()),
            tuple(np.median([each.size_mm for each in found], axis=0).tolist()),
            most if count >= 0.8 * len(found) else "",
            profile,
            centre + max(PROFILE_LIMIT * spread, PROFILE_FLOOR),
        )

    def differs(self, image: Description) -> str:
        """How an image differs from most of the set, in words; "" where it does not."""
        reasons = [differences(image.spacing_mm, image.size_mm, self.spacing_mm, self.size_mm)]
        if self.orientation and image.orientation != self.orientation:
            reasons.append(f"orientation {image.orientation} (most others {self.orientation})")
        distance = _distance(image.profile, self.profile)
        if distance > self.distance:
            reasons.append(f"intensities unlike the others' (distance {distance:.2g} of the tissue's deviation)")
        return ", ".join(filter(None, reasons))

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "profile": self.profile.round(4).tolist()}

    @staticmethod
    def of_json(document: Mapping[str, Any]) -> Usual:
        profile = np.array(document["profile"], float)
        spacing, size = tuple(document["spacing_mm"]), tuple(document["size_mm"])
        return Usual(spacing, size, str(document["orientation"]), profile, float(document["distance"]))


def unlike(descriptions: Mapping[str, Description]) -> dict[str, str]:
    """Case → how its image differs from most others, in words. {} for fewer than 5 images."""
    usual = Usual.of(descriptions.values())
    found = {case: usual.differs(each) for case, each in descriptions.items()} if usual else {}
    return {case: reasons for case, reasons in found.items() if reasons}


def _distance(profile: np.ndarray, usual: np.ndarray) -> float:
    return float(np.abs(profile - usual).mean()) if profile.shape == usual.shape else np.inf


def _letters(order: AxisOrder) -> str:
    """Where the axes x, y, z of an image lead, such as "LPS"."""
    toward = ("SI", "PA", "LR")
    axes = {axis: toward[i][order.flips[i]] for i, axis in enumerate(order.order)}
    return "".join(axes[axis] for axis in (2, 1, 0))
