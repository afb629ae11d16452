"""A predicted case as the strategies see it: a reader of its summary.json, old or new."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from metassl.project.records import Summary
from metassl.project.regions import FLAGGED

WHOLE = "structures"
"""The one class of a summary that does not tell the structures apart."""


@dataclass(frozen=True)
class ClassStatistics:
    """Of one structure: predicted volume and uncertain volumes {"US", "DC", "DS"} in ml; entropy: summed, in ml."""

    volume: float
    uncertain: Mapping[str, float]
    entropy: float


@dataclass(frozen=True)
class Candidate:
    """Reading a field raises AttributeError, KeyError, TypeError or ValueError when the summary lacks it or holds no
    number.
    """

    case: str
    summary: Summary = field(default_factory=Summary)

    @cached_property
    def uncertainty(self) -> tuple[float, float]:
        """Mean entropy 0..1 in and round the structures, and the part of it in which the networks differ."""
        return _number(self.summary.mean_uncertainty), _number(self.summary.mutual_information)

    @cached_property
    def is_empty(self) -> bool:
        """No structure was predicted."""
        return not int(_number(self.summary.structure_voxels))

    @property
    def tells_classes(self) -> bool:
        """False for summaries written before the structures were counted apart."""
        return self.summary.classes is not None

    @cached_property
    def voxel_ml(self) -> float:
        return _number(self.summary.voxel_ml) if self.tells_classes else 1.0

    @cached_property
    def classes(self) -> dict[str, ClassStatistics]:
        """By name of the structure; volumes in voxels, and all structures as WHOLE, when they are not told apart."""
        classes = self.summary.classes
        if classes is None:
            return {WHOLE: self.whole}
        return {
            name: ClassStatistics(
                _number(each["voxels"]) * self.voxel_ml,
                {region: _number(each[region]) * self.voxel_ml for region in FLAGGED},
                _number(each["entropy"]) * self.voxel_ml,
            )
            for name, each in classes.items()
        }

    @cached_property
    def whole(self) -> ClassStatistics:
        """All structures as one, in voxels."""
        band = self.summary.band_voxels
        if band is None:
            raise KeyError("band_voxels")
        size = sum(_number(count) for count in band.values())
        entropy = self.uncertainty[0] * size
        uncertain = {region: _number(band[region]) for region in FLAGGED}
        return ClassStatistics(_number(self.summary.structure_voxels), uncertain, entropy)

    @cached_property
    def features(self) -> np.ndarray | None:
        """float64 (F,), or None when the prediction has none."""
        return as_features(self.summary.features)


def as_features(values: Any) -> np.ndarray | None:
    """A vector (F,) of finite numbers, or None."""
    try:
        vector = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        return None
    return vector if vector.ndim == 1 and vector.size and np.isfinite(vector).all() else None


def _number(value: Any) -> float:
    found = float(value)
    if not math.isfinite(found):
        raise ValueError(f"{value} is no finite number")
    return found
