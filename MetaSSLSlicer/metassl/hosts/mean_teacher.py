"""Mean Teacher: a student learns from its own moving average."""

from __future__ import annotations

import torch
from torch import nn

from metassl.data.plan import Plan
from metassl.data.streams import Batch
from metassl.hosts.base import Host, StepOutput
from metassl.hosts.pasted import WARM_UP, Pasted, unlabelled_strength, weighted_supervision

CONSISTENCY_WEIGHT = 20.0  # the mean squared error of two softmaxes is small beside a cross entropy


class MeanTeacher(Host):
    """One network is trained; the pair that the map shows is the student and its teacher."""

    name = "mt"
    title = "Mean Teacher"
    citation = "Tarvainen and Valpola, Mean teachers are better role models, NeurIPS 2017"

    def __init__(self, plan: Plan, loss: str):
        super().__init__(plan, loss, networks=1)

    def training_loss(self, batch: Batch, fraction: float) -> StepOutput:
        if fraction < WARM_UP:
            return self.supervised_step(batch)
        strength = unlabelled_strength(fraction)
        with torch.no_grad():
            teacher = self.softmax(self.averages[0], batch.unlabelled)
        if self.loss_name == "plain":
            return self.consistency_step(batch, teacher, strength)
        # The second prediction is the student's on its pasted patch: it costs no further forward pass.
        pasted = Pasted.of(batch)
        log_softmax = self.log_softmax(self.networks[0], pasted.images)
        student = log_softmax.detach().exp()
        taught, regions = self.weighting.unlabelled([student, teacher], ~pasted.from_label)
        pseudo, weight = taught[1]
        total = self.pasted_loss(
            0, pasted, log_softmax, batch.annotation, pseudo, weight, strength
        )
        return StepOutput(total, {"total": total.detach()}, regions)

    def consistency_step(self, batch: Batch, teacher: torch.Tensor, strength: float) -> StepOutput:
        """The host's own loss: mean squared error between the softmaxes on unlabelled voxels."""
        pasted = Pasted.of(batch)
        target = pasted.join(batch.annotation, torch.zeros_like(batch.annotation))
        log_softmax = self.log_softmax(self.networks[0], pasted.images)
        supervised = weighted_supervision(log_softmax, target, pasted.from_label.float())
        squared = (log_softmax.exp() - teacher).square().mean(1)
        unlabelled = ~pasted.from_label
        consistency = (squared * unlabelled).sum() / unlabelled.sum().clamp_min(1)
        total = supervised + CONSISTENCY_WEIGHT * strength * consistency
        parts = {"total": total, "supervised": supervised, "consistency": consistency}
        return StepOutput(total, {name: part.detach() for name, part in parts.items()})

    def inference_pair(self) -> tuple[nn.Module, nn.Module]:
        return self.networks[0], self.averages[0]

    def start_from(self, networks: tuple[nn.Module, nn.Module]) -> None:
        self.networks[0].load_state_dict(networks[0].state_dict())
        self.averages[0].load_state_dict(networks[1].state_dict())
