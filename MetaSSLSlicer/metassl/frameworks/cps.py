"""Cross Pseudo Supervision: two networks teach each other.

Chen et al., Semi-Supervised Semantic Segmentation with Cross Pseudo Supervision, CVPR 2021: each network learns from
the hard labels of the other, of labelled and unlabelled patches, all voxels alike (plain). The official losses begin
there, too, as in MetaSSL's script. Three things are ours in metassl and uniform, as they are the default recipe: labels
come from the other network's moving average, patches are pasted (pasted.py), and the networks warm up on labelled
patches.
"""

from __future__ import annotations

import torch
from torch import nn

from metassl.data.plan import Plan
from metassl.data.streams import Batch
from metassl.frameworks.base import StepOutput
from metassl.frameworks.pair import both, halves, ramp
from metassl.frameworks.pasted import Pasted, unlabelled_strength
from metassl.frameworks.pasting import PastingFramework
from metassl.method.counting import added
from metassl.method.supervised import cross_entropy_map, supervised_loss

CROSS_WEIGHT = 1.5
"""The paper's lambda. It has no ramp, but begins with networks that know images; ours know nothing."""


class CrossPseudoSupervision(PastingFramework):
    """Each network learns from the arg-max of the other's moving average."""

    name = "cps"

    def __init__(self, plan: Plan, loss: str):
        super().__init__(plan, loss, networks=2)

    @property
    def is_whole(self) -> bool:
        """Whether the networks learn from whole patches, from the first step."""
        return self.is_official or self.loss_name == "plain"

    def since_warm_up(self, fraction: float) -> float:
        return fraction if self.is_whole else super().since_warm_up(fraction)

    def training_loss(self, batch: Batch, fraction: float) -> StepOutput:
        if self.is_whole:
            first, second = (self.logits(network, both(batch)) for network in self.networks)
            if self.is_official:
                return self.metassl_step(first, second, batch, fraction)
            return self.plain_step(first, second, batch, fraction)
        trained = self.since_warm_up(fraction)
        if trained < 0:
            return self.supervised_step(batch)
        with torch.no_grad():
            references = [self.softmax(average, batch.unlabelled) for average in self.averages]
        taught, regions = self.weighting.unlabelled(references)
        strength = unlabelled_strength(trained)
        losses = []
        for index, network in enumerate(self.networks):
            pasted = Pasted.of(batch)
            log_softmax = self.log_softmax(network, pasted.images)
            pseudo, weight = taught[1 - index]
            losses.append(self.pasted_loss(index, pasted, log_softmax, batch.annotation, pseudo, weight, strength))
        total = added(losses)
        return StepOutput(total, {"total": total.detach()}, regions)

    def plain_step(self, first: torch.Tensor, second: torch.Tensor, batch: Batch, fraction: float) -> StepOutput:
        """Logits (B, K, z, y, x) of both networks of `both(batch)`; each learns from the other's labels of all."""
        pairs = (first, second), (second, first)
        supervised = added(
            supervised_loss(batch.as_annotated(halves(logits, batch)[0]), batch.annotation) for logits, _ in pairs
        )
        crossed = added(
            cross_entropy_map(logits.log_softmax(1), other.detach().argmax(1)).mean() for logits, other in pairs
        )
        total = supervised + CROSS_WEIGHT * ramp(fraction) * crossed
        parts = {"total": total, "supervised": supervised, "unlabelled": crossed}
        return StepOutput(total, {name: part.detach() for name, part in parts.items()})

    def inference_pair(self) -> tuple[nn.Module, nn.Module]:
        return self.averages[0], self.averages[1]

    def start_from(self, networks: tuple[nn.Module, nn.Module]) -> None:
        for own, average, given in zip(self.networks, self.averages, networks, strict=True):
            own.load_state_dict(given.state_dict())
            average.load_state_dict(given.state_dict())
