"""UA-MT: Mean Teacher, only where the teacher's noisy passes are certain.

Yu et al., Uncertainty-aware Self-ensembling Model for Semi-supervised 3D Left Atrium Segmentation, MICCAI 2019. The
teacher predicts the unlabelled patch several times with noise and dropout. Voxels count whose entropy of the mean lies
below a threshold that rises from 3/4 of the maximum to all of it; so does the weight of the consistency, to 0.1. Its
target is the first of the passes (the authors make another one, which costs a ninth pass and says the same).
With MetaSSL the mean of the passes is the reference, and its confidence takes the mask's place (METHOD.md, section 1).
"""

from __future__ import annotations

import math

import torch
from torch import nn

from metassl.data.streams import Batch
from metassl.frameworks.base import StepOutput
from metassl.frameworks.decoder import DROPOUT, decode, encode
from metassl.frameworks.mean_teacher import MeanTeacher, noisy
from metassl.frameworks.pair import both, halves, ramp, squared_error
from metassl.method.supervised import supervised_loss

MSE_WEIGHT = 0.1  # the paper's
RAMP = 1.0  # of the schedule, the paper's, for the weight and for the threshold


class UncertaintyAwareMeanTeacher(MeanTeacher):
    """Student and teacher as in Mean Teacher, both with channel dropout while training."""

    name = "uamt"
    passes = 8

    def training_loss(self, batch: Batch, fraction: float) -> StepOutput:
        plain = self.loss_name == "plain"
        first, mean = self.teacher_passes(batch.unlabelled if plain else self.second_sees(batch))
        student = self.dropout_pass(self.networks[0], both(batch))
        if not plain:
            return self.metassl_step(student, mean.log(), batch, fraction)
        labelled, unlabelled = halves(student, batch)
        certain = is_certain(mean, fraction)
        error = squared_error(unlabelled, first)
        consistency = (error * certain).sum() / certain.sum().clamp_min(1)
        supervised = supervised_loss(labelled, batch.annotation)
        return self.plain_step(supervised, consistency, MSE_WEIGHT * ramp(fraction, RAMP))

    @torch.no_grad()
    def teacher_passes(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Softmaxes (B, K, z, y, x) of the teacher: the first noisy pass, and the mean of all."""
        first = self.noisy_pass(images)
        mean = first.clone()
        for number in range(2, self.passes + 1):
            mean.lerp_(self.noisy_pass(images), 1 / number)
        return first, mean.clamp_min_(1e-6)

    def noisy_pass(self, images: torch.Tensor) -> torch.Tensor:
        """Softmax (B, K, z, y, x) of the teacher."""
        return self.dropout_pass(self.averages[0], noisy(images)).softmax(1)

    def dropout_pass(self, network: nn.Module, images: torch.Tensor) -> torch.Tensor:
        """Logits (B, K, z, y, x) of one pass with dropout of its own."""
        return self.logits(lambda images: decode(network, encode(network, images), DROPOUT), images)


def is_certain(mean: torch.Tensor, fraction: float) -> torch.Tensor:
    """Where the entropy of a softmax (B, K, z, y, x) lies below the threshold at this fraction: bool (B, z, y, x)."""
    entropy = -(mean * mean.clamp_min(1e-6).log()).sum(1)
    return entropy < (0.75 + 0.25 * ramp(fraction, RAMP)) * math.log(mean.shape[1])
