"""What the ranking and the predicted Dice need to know of a prediction, per structure: collected while it is made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from metassl.inference.region_map import DC, DS, LEAST_ENTROPY, REGION_NAMES, UC, US, Maps, top_class
from metassl.project.structures import LabelDefinition

INNER, OUTER = 0.7, 0.3


class CaseStatistics:
    """Counts per class and region, and the entropy that concerns each class.

    A voxel on which the networks differ counts for both classes between which they differ. The entropy of a class is
    the sum of H(v) p_class(v), of the mean prediction, as in class-stratified querying (arXiv 2601.13677).
    """

    def __init__(self, values: Sequence[int], features: list[float] | None = None) -> None:
        classes = len(values)
        self._values = list(values)
        self._regions = torch.zeros(len(REGION_NAMES) + 1, classes, dtype=torch.int64)
        self._entropy = torch.zeros(classes, dtype=torch.float64)
        self.features = features

    def add(self, first: torch.Tensor, second: torch.Tensor, maps: Maps) -> None:
        """Some rows of a case: softmaxes (K, z, y, x) of both networks and their maps (z, y, x)."""
        uncertain = ((maps.regions > UC) | (maps.uncertainty > LEAST_ENTROPY)).nonzero(as_tuple=True)
        z, y, x = uncertain
        one, two = first[:, z, y, x], second[:, z, y, x]
        regions = maps.regions[uncertain].long()
        self._entropy += ((one + two) / 2 * maps.uncertainty[uncertain]).sum(1).double().cpu()
        labels_1, labels_2 = top_class(one)[1].long(), top_class(two)[1].long()
        differ = labels_1 != labels_2
        self._count(regions, labels_1)
        self._count(regions[differ], labels_2[differ])

    def _count(self, regions: torch.Tensor, labels: torch.Tensor) -> None:
        rows, classes = self._regions.shape
        counts = torch.bincount(regions * classes + labels, minlength=rows * classes)
        self._regions += counts.view(rows, classes).cpu()

    def classes(self, segmentation_voxels: np.ndarray, labels: list[LabelDefinition]) -> dict[str, dict[str, float]]:
        """`Summary.classes`. segmentation_voxels: how many voxels have each annotation value, (256,)."""
        places = {value: index for index, value in enumerate(self._values)}
        classes = {}
        for label in labels:
            place = places[label.value]
            uncertain = {REGION_NAMES[code]: int(self._regions[code, place]) for code in (US, DC, DS)}
            entropy = float(f"{float(self._entropy[place]):.6g}")
            classes[label.name] = {"voxels": int(segmentation_voxels[label.value]), **uncertain, "entropy": entropy}
        return classes


class DiceFeatures:
    """Counts per class: voxels above both thresholds of the mean probability, and both networks' segmentations."""

    def __init__(self, values: list[int]) -> None:
        self._places = {value: index for index, value in enumerate(values)}
        self._counts = torch.zeros(5, len(values), dtype=torch.int64)

    def add(self, first: torch.Tensor, second: torch.Tensor) -> None:
        """Some rows of a case: softmaxes (K, z, y, x) of both networks."""
        classes = len(first)
        labels_1, labels_2 = top_class(first)[1], top_class(second)[1]
        for index in range(1, classes):
            total = first[index] + second[index]
            one, two = labels_1 == index, labels_2 == index
            counts = (total > 2 * INNER, total > 2 * OUTER, one, two, one & two)
            self._counts[:, index] += torch.stack([count.sum() for count in counts]).cpu()

    def add_sure(self, counts: Sequence[int]) -> None:
        """Voxels of which both networks are sure, how many of each class, (K,)."""
        self._counts[:, 1:] += torch.as_tensor(counts)[1:]

    def volumes(self, labels: list[LabelDefinition]) -> dict[str, tuple[int, int]]:
        """{structure: voxels above the upper and above the lower threshold of the mean probability}."""
        inner, outer = self._counts[0].tolist(), self._counts[1].tolist()
        places = {label.name: self._places[label.value] for label in labels}
        return {name: (inner[place], outer[place]) for name, place in places.items()}

    def summary(
        self, labels: list[LabelDefinition], expected: float | None = None
    ) -> dict[str, dict[str, float | None]]:
        """{structure: {"stability", "agreement", "expected"}} in 0..1; None where the class is not predicted at all.

        expected: `expected_dice` of the case, the same for all its structures.
        """
        found = {}
        for label in labels:
            inner, outer, one, two, both = self._counts[:, self._places[label.value]].tolist()
            found[label.name] = {
                "stability": 2 * inner / (inner + outer) if outer else None,
                "agreement": 2 * both / (one + two) if one + two else None,
                "expected": expected if one + two else None,
            }
        return found


def expected_dice(probability: np.ndarray, foreground: np.ndarray, near: np.ndarray) -> float | None:
    """The Dice of all structures together that P(error) lets expect, None without any structure.

    probability: P(error) of voxels in any order; foreground: what is predicted to be a structure; near: what is one or
    within `READING_BAND_VOXELS` of one. Farther away nothing is expected to be missed.
    """
    if not foreground.any():
        return None
    invented = float(probability[foreground].sum(dtype=np.float64))
    missed = float(probability[near & ~foreground].sum(dtype=np.float64))
    right = float(foreground.sum()) - invented
    return 2 * right / (2 * right + invented + missed)
