"""P(error) of every voxel, learned on validation cases: what this model gets wrong, and not only where it is unsure.

A perceptron with one hidden layer looks at `voxel_features`: the prediction of the pair and the image round the voxel.
It costs no further pass through the networks. Unlike the entropy it knows that this model draws a structure too small,
or errs on one kind of border, and its value is a probability. The validation cases were not trained on, so that their
errors are of the same kind as those on new cases.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from metassl.data.plan import Plan
from metassl.evaluation.region_errors import foreground_band
from metassl.evaluation.uncertainty import UncertaintyScore
from metassl.imaging.images import IGNORE
from metassl.inference.case_statistics import expected_dice
from metassl.inference.error_features import feature_count, feature_slabs
from metassl.inference.region_map import entropy
from metassl.project.masks import ERROR_BAND_VOXELS, READING_BAND_VOXELS, dilate

HIDDEN = 16
ITERATIONS = 600
BATCH = 4096
LEARNING_RATE = 1e-2
OUTSIDE = 0.25  # so many voxels from outside the band for each one in it
CERTAIN = 0.01  # where less than this speaks against background, and 8 voxels round it, the network is not asked
MARGIN = 8


@dataclass(frozen=True)
class Sample:
    """Voxels of one case: features (n, F), and whether each (n,) is wrong, in the band, or a predicted structure.

    near: it is such a structure or within the band of a reader round one (`inference.band`).
    """

    features: torch.Tensor
    wrong: torch.Tensor
    in_band: torch.Tensor
    foreground: torch.Tensor
    near: torch.Tensor


class ErrorModel(nn.Module):
    """Features are brought to mean 0 and spread 1 first; both are kept as buffers."""

    def __init__(self, classes: int, channels: int) -> None:
        super().__init__()
        count = feature_count(classes, channels)
        self.centre: torch.Tensor
        self.spread: torch.Tensor
        self.register_buffer("centre", torch.zeros(count))
        self.register_buffer("spread", torch.ones(count))
        self.layers = nn.Sequential(nn.Linear(count, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, 1))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Logits (n,) of P(error) for features (n, F)."""
        logits: torch.Tensor = self.layers((features - self.centre) / self.spread)[:, 0]
        return logits

    def expected_dice(self, sample: Sample) -> float | None:
        """The Dice of all structures together that P(error) lets expect of the case of the sample."""
        probability = self(sample.features).sigmoid()
        facts = (probability, sample.foreground, sample.near)
        return expected_dice(*(fact[sample.in_band].numpy() for fact in facts))

    @torch.inference_mode()
    def probability(self, pair: np.ndarray, image: np.ndarray) -> np.ndarray:
        """P(error), float32 (z, y, x), for softmaxes (2, K, z, y, x) of the pair and the image (C, z, y, x).

        Far from all structures it is 1 - the highest probability.
        """
        result = np.empty(pair.shape[2:], np.float32)
        inside = np.zeros(pair.shape[2:], bool)
        for z in range(len(result)):
            mean = pair[:, :, z].astype(np.float32).mean(0)
            result[z] = 1 - mean.max(0)
            inside[z] = 1 - mean[0] > CERTAIN
        np.clip(result, 0, 1, out=result)
        box = _box(inside)
        if box is None:
            return result
        for part, features in feature_slabs(pair, image, box):
            found = self(features.flatten(1).T).sigmoid()
            result[part] = found.view(features.shape[1:]).numpy()
        return result


def take_sample(
    pair: np.ndarray, image: np.ndarray, truth: np.ndarray, values: Sequence[int], plan: Plan, seed: int, most: int
) -> Sample | None:
    """At most 1.25 `most` voxels to learn from, of one validation case; `truth`: annotation values on the plan's grid.

    The bands are as wide as on the grid of the images.

    None when there is no structure, neither predicted nor annotated.
    """
    shown = np.asarray(values, np.uint8)[pair.astype(np.float32).mean(0).argmax(0)]
    known = truth != IGNORE
    band = foreground_band(shown, truth, plan.on_grid(ERROR_BAND_VOXELS)) & known
    box = _box(band)
    if box is None:
        return None
    around = np.zeros_like(band)
    around[box] = known[box]
    random = np.random.default_rng(seed)
    inside, outside = np.flatnonzero(band), np.flatnonzero(around & ~band)
    inside = random.permutation(inside)[:most]
    outside = random.permutation(outside)[: round(OUTSIDE * len(inside))]
    kinds = np.zeros(band.shape, np.uint8)  # 1 outside, 2 in the band
    kinds.flat[outside], kinds.flat[inside] = 1, 2
    foreground = shown > 0
    facts = (shown != truth, kinds == 2, foreground, dilate(foreground, plan.on_grid(READING_BAND_VOXELS)))
    parts = []
    for part, features in feature_slabs(pair, image, box):
        chosen = torch.from_numpy(kinds[part] > 0)
        parts.append((features[:, chosen].T, *(torch.from_numpy(fact[part])[chosen] for fact in facts)))
    return Sample(*(torch.cat(each) for each in zip(*parts, strict=True)))


def fit_error_model(samples: Sequence[Sample], classes: int, channels: int, seed: int = 0) -> ErrorModel:
    """Train on the voxels of some cases: about a second. The same samples and seed give the same model."""
    features = torch.cat([sample.features for sample in samples])
    wrong = torch.cat([sample.wrong for sample in samples]).float()
    random = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = ErrorModel(classes, channels)
    model.centre.copy_(features.mean(0))
    model.spread.copy_(features.std(0).clamp_min(1e-3))
    optimiser = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, ITERATIONS)
    for _ in range(ITERATIONS):
        chosen = torch.randint(len(features), (min(BATCH, len(features)),), generator=random)
        loss = nn.functional.binary_cross_entropy_with_logits(model(features[chosen]), wrong[chosen])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
    return model.eval().requires_grad_(False)


def _box(mask: np.ndarray) -> tuple[slice, ...] | None:
    if not mask.any():
        return None
    box = []
    for axis in range(3):
        filled = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        box.append(slice(max(int(filled[0]) - MARGIN, 0), min(int(filled[-1]) + MARGIN + 1, mask.shape[axis])))
    return tuple(box)


LEAST_CASES = 3
FOLDS = 3
LEAST_GAIN = 0.01  # of AUROC
MOST_VOXELS = 60_000  # of one case


def checked_error_model(
    samples: Sequence[Sample], plan: Plan, fitted: Callable[[], object] = lambda: None
) -> tuple[ErrorModel | None, dict[str, Any] | None, list[float | None]]:
    """(model, figures, expected): no model unless it beats the entropy by 0.01 AUROC, nothing with under 3 cases.

    The figures are of voxels in the band of cases that the model was not fitted on (3-fold): {"cases", "kept",
    "error_probability" and "uncertainty": {"auroc", "auprc", "ece", "voxels", "errors", "errors_in_flagged_share"}}.
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
    kept = learnt.auroc is not None and plain.auroc is not None and learnt.auroc >= plain.auroc + LEAST_GAIN
    figures = {
        "cases": len(samples),
        "kept": kept,
        "error_probability": {**learnt.summary(), "errors_in_flagged_share": learnt.errors_in_flagged_share()},
        "uncertainty": {**plain.summary(), "errors_in_flagged_share": plain.errors_in_flagged_share()},
    }
    return (fit_error_model(samples, plan.classes, plan.in_channels) if kept else None), figures, expected
