"""The whole objective J of one training step, for every wiring (METHOD.md, sections 1 to 4)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .counting import added
from .loss import DirectionLoss, HeterogeneousLoss
from .output import LossOutput
from .prediction import Prediction, predict, predict_from_probabilities
from .presets import Preset, get_preset
from .regions import partition, partition_against_annotation
from .supervised import cross_entropy_map, dice_loss, split_annotation, valid_mean
from .thresholds import Half
from .weights import RegionWeights

Direction = tuple[int, int]  # (a, b): a <- b, network a learns from network b


@dataclass(frozen=True)
class Wiring:
    """The supervised networks and the unlabelled directions of a framework, networks from 1."""

    networks: tuple[int, ...]
    directions: tuple[Direction, ...]


ONE_WAY = Wiring((1,), ((1, 2),))
BOTH_WAYS = Wiring((1, 2), ((1, 2), (2, 1)))


def consistency_ramp(iteration: float, maximum: float = 0.1, length: float = 30_000, step: float = 150) -> float:
    """lambda(t) = maximum * exp(-5 (1 - t/length)^2), in steps of `step`, flat after `length`.

    `iteration` is counted from 0, before its increment. A `length` of 0 means no ramp.
    """
    if length <= 0:
        return maximum
    steps = length / step
    phase = 1.0 - min(iteration // step, steps) / steps
    return maximum * math.exp(-5.0 * phase * phase)


class MetaSSLLoss(nn.Module):
    """J = sum_n S(n) + lambda(t) (sum_n L(n) + sum_{a<-b} U(a<-b)).

    num_classes: C, background included. preset: a Preset or its name; keyword options replace
    single options of it, as in MetaSSLLoss(4, "metassl", framework="cps", ramp_length=2000).

    The adaptive thresholds are updated in training mode and only read in evaluation mode; they are
    all of the state dict.
    """

    def __init__(self, num_classes: int, preset: Preset | str = "metassl", **options: Any) -> None:
        super().__init__()
        if isinstance(preset, str):
            preset = get_preset(preset)
        preset = preset.with_options(**options)
        if preset.framework not in ("mt", "cps", "cct"):
            raise ValueError(f"unknown framework {preset.framework!r}; known: mt, cps, cct")
        if preset.labelled_reference not in ("annotation", "peer"):
            raise ValueError(f"unknown labelled reference {preset.labelled_reference!r}")
        self.preset = preset
        self.num_classes = num_classes
        one_way = preset.framework == "mt"
        self.added = ONE_WAY if one_way and preset.teacher_terms != "add" else BOTH_WAYS
        self.computed = ONE_WAY if one_way and preset.teacher_terms == "skip" else BOTH_WAYS
        self.thresholds = preset.thresholds(num_classes)
        self.labelled_loss = self._region_loss(preset.weights.labelled)
        self.unlabelled_loss = self._region_loss(preset.weights.unlabelled)

    @property
    def needs_teacher_on_labelled(self) -> bool:
        """False if `logits2` may hold the unlabelled half only, which saves a forward pass."""
        return self.computed is BOTH_WAYS or self.preset.labelled_reference == "peer"

    def forward(
        self,
        logits1: Tensor,
        logits2: Tensor,
        annotation: Tensor,
        num_labelled: int,
        iteration: float,
        *,
        consistency: float | None = None,
        unlabelled_valid: Tensor | None = None,
    ) -> LossOutput:
        """Compute the loss in float32, also under autocast.

        logits1, logits2: (B, C, ...), the `num_labelled` labelled images first; in mt, 1 is the
        student and 2 the teacher, which gets no gradient.
        annotation: (num_labelled, ...), classes 0..C-1, or 255 where not annotated.
        iteration: t of the ramp, before its increment; `consistency` replaces lambda(t).
        unlabelled_valid: (B - num_labelled, ...) bool, False where to ignore (padding, say).
        """
        self._check(logits1, logits2, annotation, num_labelled)
        with torch.autocast(logits1.device.type, enabled=False):
            if self.preset.framework == "mt":
                logits2 = logits2.detach()
            halves = [_halves(z.float(), num_labelled, len(logits1)) for z in (logits1, logits2)]
            supervised, labelled, accuracy = self._labelled_half([h[0] for h in halves], annotation)
            unlabelled = self._unlabelled_half([h[1] for h in halves], unlabelled_valid)
            if consistency is None:
                consistency = self.consistency_at(iteration)
            regions = [labelled[n].value for n in self.added.networks]
            regions += [unlabelled[direction].value for direction in self.added.directions]
            total = added(supervised[n] for n in self.added.networks) + consistency * added(regions)
        return LossOutput(
            total,
            consistency,
            {n: value.detach() for n, value in supervised.items()},
            labelled,
            unlabelled,
            accuracy,
            (self.added.networks, self.added.directions),
        )

    def consistency_at(self, iteration: float) -> float:
        """lambda(t) of the preset."""
        preset = self.preset
        return consistency_ramp(iteration, preset.consistency, preset.ramp_length, preset.ramp_step)

    def _labelled_half(
        self, logits: list[Tensor | None], annotation: Tensor
    ) -> tuple[dict[int, Tensor], dict[int, DirectionLoss], dict[int, Tensor]]:
        """S(n), L(n) and the accuracy of the computed networks."""
        target, valid = split_annotation(annotation)
        given = _numbered(logits)
        probabilities = {n: z.softmax(1) for n, z in given.items()}
        predictions = {n: predict_from_probabilities(p) for n, p in probabilities.items()}
        self._update_thresholds(predictions, Half.LABELLED, valid)
        supervised, labelled, accuracy = {}, {}, {}
        for n in self.computed.networks:
            labels, confidence = predictions[n]
            thresholds = self.thresholds.per_class(Half.LABELLED, n - 1)
            if self.preset.labelled_reference == "annotation":
                regions = partition_against_annotation(labels, confidence, annotation, thresholds)
            else:
                peer = predictions[3 - n].labels
                regions = partition(labels, confidence, peer, thresholds, ~valid)
            ce = cross_entropy_map(given[n].log_softmax(1), target)
            dice = dice_loss(probabilities[n], target, valid)
            supervised[n] = 0.5 * (valid_mean(ce, valid) + dice)
            labelled[n] = self.labelled_loss(ce, regions, labels)
            accuracy[n] = valid_mean((labels == target).float(), valid)
        return supervised, labelled, accuracy

    def _unlabelled_half(self, logits: list[Tensor], valid: Tensor | None) -> dict[Direction, DirectionLoss]:
        """U(a <- b) of the computed directions."""
        predictions = {n: predict(z) for n, z in _numbered(logits).items()}
        self._update_thresholds(predictions, Half.UNLABELLED, valid)
        ignored = None if valid is None else ~valid
        losses = {}
        for a, b in self.computed.directions:
            labels, confidence = predictions[b]
            thresholds = self.thresholds.per_class(Half.UNLABELLED, b - 1)
            regions = partition(labels, confidence, predictions[a].labels, thresholds, ignored)
            ce = cross_entropy_map(logits[a - 1].log_softmax(1), labels)
            losses[a, b] = self.unlabelled_loss(ce, regions, labels)
        return losses

    def _update_thresholds(self, predictions: dict[int, Prediction], half: Half, valid: Tensor | None) -> None:
        if self.training:
            for n, (labels, confidence) in predictions.items():
                self.thresholds.update(labels, confidence, half, n - 1, valid)

    def _region_loss(self, weights: RegionWeights) -> HeterogeneousLoss:
        preset = self.preset
        return HeterogeneousLoss(
            self.num_classes,
            weights,
            preset.normalisation,
            preset.uc_split,
            preset.count_offset,
            preset.region_n_min,
        )

    def _check(self, logits1: Tensor, logits2: Tensor, annotation: Tensor, num_labelled: int) -> None:
        batch = len(logits1)
        if logits1.shape[1] != self.num_classes or logits1.shape[1:] != logits2.shape[1:]:
            raise ValueError(
                f"logits of shapes {tuple(logits1.shape)} and {tuple(logits2.shape)} for {self.num_classes} classes"
            )
        if not 0 < num_labelled < batch:
            raise ValueError(f"{num_labelled} labelled images in a batch of {batch}")
        only_unlabelled = len(logits2) == batch - num_labelled
        if len(logits2) != batch and (not only_unlabelled or self.needs_teacher_on_labelled):
            raise ValueError(f"the second logits hold {len(logits2)} images, the first {batch}")
        if annotation.shape != (num_labelled, *logits1.shape[2:]):
            raise ValueError(
                f"an annotation of shape {tuple(annotation.shape)} for {num_labelled} labelled "
                f"images of {tuple(logits1.shape[2:])}"
            )


def _halves(logits: Tensor, num_labelled: int, batch: int) -> tuple[Tensor | None, Tensor]:
    """Labelled and unlabelled logits; a teacher may lack the labelled half."""
    if len(logits) < batch:
        return None, logits
    labelled, unlabelled = logits.split([num_labelled, batch - num_labelled])
    return labelled, unlabelled


def _numbered(logits: Sequence[Tensor | None]) -> dict[int, Tensor]:
    return {n: z for n, z in enumerate(logits, start=1) if z is not None}
