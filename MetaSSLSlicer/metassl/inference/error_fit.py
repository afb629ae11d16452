"""Learn P(error) where it helps: measured on cases that were left out, against the entropy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from metassl.data.plan import Plan
from metassl.evaluation.uncertainty import UncertaintyScore
from metassl.inference.error_model import ErrorModel, Sample, fit_error_model
from metassl.inference.region_map import entropy

LEAST_CASES = 3
FOLDS = 3
LEAST_GAIN = 0.01  # of AUROC
MOST_VOXELS = 60_000  # of one case


def checked_error_model(
    samples: Sequence[Sample], plan: Plan, fitted: Callable[[], object] = lambda: None
) -> tuple[ErrorModel | None, dict[str, Any] | None, list[float | None]]:
    """(model, figures, expected): no model unless it beats the entropy by 0.01 AUROC, nothing with under 3 cases.

    The figures are of voxels in the band of cases that the model was not fitted on (3-fold): {"cases", "kept",
    "error_probability" and "uncertainty": {"auroc", "auprc", "ece", "voxels", "errors", "errors_in_most_doubtful"}}.
    expected: the Dice of each sample that such a model lets expect, see `ErrorModel.expected_dice`. fitted() is called
    FOLDS times, after each of those models.
    """
    if len(samples) < LEAST_CASES:
        return None, None, []
    expected: list[float | None] = [None] * len(samples)
    learnt, plain = UncertaintyScore(), UncertaintyScore()
    for fold in range(FOLDS):
        others = [sample for place, sample in enumerate(samples) if place % FOLDS != fold]
        model = fit_error_model(others, plan.classes, plan.in_channels)
        fitted()
        for place in range(fold, len(samples), FOLDS):
            sample = samples[place]
            expected[place] = model.expected_dice(sample)
            wrong, valid = sample.wrong.numpy(), sample.in_band.numpy()
            learnt.add(model(sample.features).sigmoid().numpy(), wrong, valid)
            plain.add(entropy(sample.features[:, : plan.classes].T).numpy(), wrong, valid)
    kept = learnt.auroc is not None and learnt.auroc >= plain.auroc + LEAST_GAIN
    figures = {
        "cases": len(samples),
        "kept": kept,
        "error_probability": {**learnt.summary(), "errors_in_most_doubtful": learnt.errors_in_most_doubtful()},
        "uncertainty": {**plain.summary(), "errors_in_most_doubtful": plain.errors_in_most_doubtful()},
    }
    return (fit_error_model(samples, plan.classes, plan.in_channels) if kept else None), figures, expected
