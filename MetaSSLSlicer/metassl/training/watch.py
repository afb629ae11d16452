"""Looking at a few validation cases while a round trains, and keeping the model that was best on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from metassl.data.plan import Plan
from metassl.data.streams import PreparedCase
from metassl.evaluation.bootstrap import nan_mean
from metassl.evaluation.metrics import dice
from metassl.frameworks.base import Framework
from metassl.imaging.images import IGNORE
from metassl.inference.calibration import calibrate_thresholds
from metassl.inference.model import TrainedModel
from metassl.inference.smaller_windows import Told, predict_case
from metassl.networks.checkpoint import load_checkpoint
from metassl.project.structures import LabelDefinition

WATCHED_CASES = 4
OVERLAP = 0.25  # of the windows: less than in a prediction that is kept


class ValidationWatch:
    """Called with the number of a step: emits "validation", and saves the model when its mean Dice is a new best.

    The best Dice so far is kept with the model, so that it survives a pause. Thresholds are those of the watched cases.
    """

    def __init__(
        self,
        framework: Framework,
        plan: Plan,
        cases: Sequence[PreparedCase],
        labels: Sequence[LabelDefinition],
        device: torch.device,
        best_path: Path,
        emit: Callable[..., object],
        told: Told = lambda case, how: None,
    ) -> None:
        self.framework, self.plan, self.labels, self.device = framework, plan, labels, device
        self.cases = cases[:WATCHED_CASES]
        self.best_path, self.emit, self.told = best_path, emit, told
        self.best = load_checkpoint(best_path, dice=(int, float))["dice"] if best_path.exists() else -1.0

    def __call__(self, step: int) -> None:
        first, second = self.framework.inference_pair()
        pair = first.eval(), second.eval()
        scores = np.full((len(self.cases), len(self.labels)), np.nan)
        thresholds = calibrate_thresholds(self._softmaxes(pair, scores), self.plan)
        means = nan_mean(scores.T)
        mean = float(nan_mean(means))
        per_class = {each.name: _known(value) for each, value in zip(self.labels, means, strict=True)}
        self.emit("validation", step=step, dice={"mean": _known(mean), "per_class": per_class}, cases=len(self.cases))
        if mean > self.best:
            self.best = mean
            values = [0, *(label.value for label in self.labels)]
            model = TrainedModel(pair, self.plan, thresholds, values, self.framework.name, step, self.device)
            model.save(self.best_path, dice=mean)

    def _softmaxes(self, pair: tuple, scores: np.ndarray) -> Iterator[np.ndarray]:
        """Of one case after the other, float16 (2, K, z, y, x); fills in `scores`, Dice (cases, classes)."""
        for case, row in zip(self.cases, scores, strict=True):
            softmax = predict_case(pair, case, self.plan, self.device, self.told, OVERLAP)
            label = case.label
            if label is None:
                raise ValueError(f"case {case.id} has no label to compare with")
            found, valid = softmax.mean(0).argmax(0), label != IGNORE
            for value in range(1, self.plan.classes):
                row[value - 1] = dice((found == value) & valid, label == value)
            yield softmax


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
