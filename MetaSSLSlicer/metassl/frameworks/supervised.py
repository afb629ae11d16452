"""Supervised training: the labelled patches alone. What a semi-supervised framework has to beat, and with all
labels, reach.

With MetaSSL the labelled voxels count by their region, the network's own prediction against the annotation (METHOD.md,
section 2, FIG): the paper's part against noisy annotations. Plain is the usual training; both keep moving averages as
the other frameworks do (Tarvainen and Valpola, Mean teachers are better role models, NeurIPS 2017).
"""

from __future__ import annotations

import torch
from torch import nn

from metassl.data.plan import Plan
from metassl.data.streams import Batch
from metassl.frameworks.base import Framework, StepOutput, follow, frozen_copy
from metassl.frameworks.pasted import weighted_supervision
from metassl.frameworks.weighting import RegionWeighting

RECENT_DECAY = 0.8


class Supervised(Framework):
    """The pair is two moving averages of one network, over about 100 steps and over about 5.

    So what is shown is the prediction of averages, which are better than the network, and the two still differ where
    the training has not settled.
    """

    name = "supervised"

    def __init__(self, plan: Plan, loss: str):
        super().__init__(plan, loss, networks=1)
        self.recent = frozen_copy(self.networks[0])
        self.weighting = RegionWeighting(plan.classes)

    def training_loss(self, batch: Batch, fraction: float) -> StepOutput:
        log_softmax = batch.as_annotated(self.log_softmax(self.networks[0], batch.labelled))
        if self.loss_name == "metassl":
            weight = self.weighting.labelled(0, log_softmax.detach().exp(), batch.annotation)
        else:
            weight = torch.ones_like(batch.annotation, dtype=torch.float32)
        total = weighted_supervision(log_softmax, batch.annotation, weight)
        return StepOutput(total, {"total": total.detach()})

    def after_step(self, step: int) -> None:
        super().after_step(step)
        follow(self.recent, self.networks[0], step, RECENT_DECAY)

    def inference_pair(self) -> tuple[nn.Module, nn.Module]:
        return self.averages[0], self.recent

    def begin_with(self, networks: tuple[nn.Module, nn.Module]) -> None:
        super().begin_with(networks)
        self.recent.load_state_dict(self.networks[0].state_dict())

    def start_from(self, networks: tuple[nn.Module, nn.Module]) -> None:
        self.averages[0].load_state_dict(networks[0].state_dict())
        self.recent.load_state_dict(networks[1].state_dict())
        self.networks[0].load_state_dict(networks[1].state_dict())
