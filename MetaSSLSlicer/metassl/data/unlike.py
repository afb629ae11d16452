"""Which images are unlike the others: in spacing, size, orientation or intensities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from metassl.imaging.images import CaseImage

from .intensity import robust_zscore, sample_of
from .orientation import AxisOrder, patient_order

FEWEST = 5
"""Images from which on there is a usual one."""

SPACING_FACTOR, SIZE_FACTOR = 2.0, 2.5
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
    def of(image: CaseImage) -> Description:
        profile = []
        for channel in image.array:
            scaling = robust_zscore(channel)
            values = np.clip(sample_of(channel, 100_000), scaling.low, scaling.high)
            profile.append((np.quantile(values, _QUANTILES) - scaling.centre) / scaling.scale)
        order = patient_order(image.geometry)
        spacing = order.reorder(image.geometry.spacing_zyx)
        size = tuple(np.multiply(spacing, order.reorder(image.geometry.shape_zyx)))
        return Description(spacing, size, _letters(order), np.array(profile))


def unlike(descriptions: Mapping[str, Description]) -> dict[str, str]:
    """Case → how its image differs from most others, in words. {} for fewer than 5 images."""
    if len(descriptions) < FEWEST:
        return {}
    found: dict[str, list[str]] = {case: [] for case in descriptions}
    for what, attribute, factor in (("spacing", "spacing_mm", SPACING_FACTOR), ("size", "size_mm", SIZE_FACTOR)):
        values = np.array([getattr(each, attribute) for each in descriptions.values()])
        usual = np.median(values, axis=0)
        for case, own in zip(descriptions, values, strict=True):
            if (np.maximum(own / usual, usual / own) > factor).any():
                found[case].append(f"{what} {_numbers(own)} mm (most others {_numbers(usual)})")
    most, count = Counter(each.orientation for each in descriptions.values()).most_common(1)[0]
    for case, each in descriptions.items():
        if each.orientation != most and count >= 0.8 * len(descriptions):
            found[case].append(f"orientation {each.orientation} (most others {most})")
    for case, distance in _profile_distances(descriptions).items():
        found[case].append(f"intensities unlike the others' (distance {distance:.2g} of the tissue's deviation)")
    return {case: ", ".join(reasons) for case, reasons in found.items() if reasons}


def _profile_distances(descriptions: Mapping[str, Description]) -> dict[str, float]:
    """The cases whose histogram has another shape, with its distance from the usual one."""
    profiles = np.array([each.profile for each in descriptions.values()])
    distances = np.abs(profiles - np.median(profiles, axis=0)).mean(axis=(1, 2))
    centre = np.median(distances)
    spread = np.median(np.abs(distances - centre)) * 1.4826
    limit = max(centre + PROFILE_LIMIT * spread, centre + PROFILE_FLOOR)
    return {case: float(d) for case, d in zip(descriptions, distances, strict=True) if d > limit}


def _letters(order: AxisOrder) -> str:
    """Where the axes x, y, z of an image lead, such as "LPS"."""
    toward = ("SI", "PA", "LR")
    axes = {axis: toward[i][order.flips[i]] for i, axis in enumerate(order.order)}
    return "".join(axes[axis] for axis in (2, 1, 0))


def _numbers(values: np.ndarray) -> str:
    return " x ".join(f"{value:.3g}" for value in values)
