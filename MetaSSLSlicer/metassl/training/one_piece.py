"""Which structures are one piece: all annotations say so, and cases that were not trained on do not lose by it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from metassl.evaluation.metrics import as_annotated, dice
from metassl.imaging.images import IGNORE
from metassl.inference.operating_point.one_piece import classes_in_one_piece, loose, shown_classes
from metassl.training.inputs import Inputs

MOST_ANNOTATIONS = 40
"""Are looked at, from all over the list."""


@dataclass
class OnePiece:
    """annotations: {class: in how many}. gains: of Dice, {class: one a validation case that shows it}."""

    annotations: Mapping[int, int]
    gains: dict[int, list[float]] = field(default_factory=dict)

    @staticmethod
    def of(inputs: Inputs, classes: int) -> OnePiece:
        """By the cases that were trained on and those for validation."""
        cases = [*inputs.labelled, *inputs.validation]
        step = max(1, len(cases) // MOST_ANNOTATIONS)
        labels = ((case.label, case.missing) for case in cases[::step][:MOST_ANNOTATIONS])
        known = ((label, missing) for label, missing in labels if label is not None)
        return OnePiece(classes_in_one_piece(known, classes))

    def try_on(self, pair: np.ndarray, truth: np.ndarray, values: Sequence[int], missing: Sequence[int]) -> None:
        """pair: softmaxes (2, K, z, y, x) of a case that was not trained on; truth, missing: as in `known_case`."""
        shown = shown_classes(pair)
        known, true = truth != IGNORE, as_annotated(truth, missing)
        for k in self.annotations:
            if values[k] in missing:
                continue
            found, there = (shown == k) & known, (true == values[k]) & known
            gain = dice(found & ~loose(shown == k), there) - dice(found, there)
            if not math.isnan(gain):
                self.gains.setdefault(k, []).append(gain)

    def chosen(self, values: Sequence[int]) -> dict[str, int]:
        """{value as text: in how many annotations}, of those for which no mean loss was seen."""
        good = {k: number for k, number in self.annotations.items() if np.mean(self.gains.get(k) or [0.0]) >= 0}
        return {str(values[k]): number for k, number in good.items()}
