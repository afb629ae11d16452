"""What a prediction tells about its own Dice, per class: collected while it is made."""

from __future__ import annotations

import numpy as np
import torch

from metassl.project.structures import LabelDefinition

INNER, OUTER = 0.7, 0.3


class DiceFeatures:
    """Counts per class: voxels above both thresholds of the mean probability, and both networks' segmentations."""

    def __init__(self, values: list[int]) -> None:
        self._places = {value: index for index, value in enumerate(values)}
        self._counts = torch.zeros(5, len(values), dtype=torch.int64)

    def add(self, first: torch.Tensor, second: torch.Tensor) -> None:
        """Some rows of a case: softmaxes (K, z, y, x) of both networks."""
        classes = len(first)
        labels_1, labels_2 = first.argmax(0), second.argmax(0)
        for index in range(1, classes):
            total = first[index] + second[index]
            one, two = labels_1 == index, labels_2 == index
            counts = (total > 2 * INNER, total > 2 * OUTER, one, two, one & two)
            self._counts[:, index] += torch.stack([count.sum() for count in counts]).cpu()

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
