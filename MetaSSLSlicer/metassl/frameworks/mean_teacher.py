"""Mean Teacher: a student learns to agree with its own moving average.

Tarvainen and Valpola, Mean teachers are better role models, NeurIPS 2017, as it is used for segmentation: the teacher
sees the unlabelled patch with noise of its own, and the squared difference of the softmaxes is the consistency loss.
With MetaSSL the teacher sees the clean patch (METHOD.md, section 1).
"""

from __future__ import annotations

import torch
from torch import nn

from metassl.data.plan import Plan
from metassl.data.streams import Batch
from metassl.frameworks.base import StepOutput
from metassl.frameworks.pair import PairFramework, both, halves, ramp, squared_error
from metassl.method.supervised import supervised_loss

NOISE, NOISE_LIMIT = 0.1, 0.2  # standard deviations of a normalised image
MSE_WEIGHT = 10.0
"""Of the mean squared error between two softmaxes, which is small beside a cross entropy.

Neither source fixes it: the paper takes 100 for the classes of whole images, segmentation papers 0.1 (Yu et al.).
"""


def noisy(images: torch.Tensor) -> torch.Tensor:
    """Images (B, C, z, y, x) with clipped Gaussian noise."""
    return images + (NOISE * torch.randn_like(images)).clamp_(-NOISE_LIMIT, NOISE_LIMIT)


class MeanTeacher(PairFramework):
    """One network is trained; the pair that the map shows is the student and its teacher."""

    name = "mt"

    def __init__(self, plan: Plan, loss: str):
        super().__init__(plan, loss, networks=1)

    def training_loss(self, batch: Batch, fraction: float) -> StepOutput:
        plain = self.loss_name == "plain"
        with torch.no_grad():
            teacher = self.logits(self.averages[0], noisy(batch.unlabelled) if plain else self.second_sees(batch))
        student = self.logits(self.networks[0], both(batch))
        if not plain:
            return self.metassl_step(student, teacher, batch, fraction)
        labelled, unlabelled = halves(student, batch)
        consistency = squared_error(unlabelled, teacher.softmax(1)).mean()
        return self.plain_step(supervised_loss(labelled, batch.annotation), consistency, MSE_WEIGHT * ramp(fraction))

    def inference_pair(self) -> tuple[nn.Module, nn.Module]:
        return self.networks[0], self.averages[0]

    def start_from(self, networks: tuple[nn.Module, nn.Module]) -> None:
        self.networks[0].load_state_dict(networks[0].state_dict())
        self.averages[0].load_state_dict(networks[1].state_dict())
