"""Cross Pseudo Supervision: two networks teach each other.

Chen et al., Semi-Supervised Semantic Segmentation with Cross Pseudo Supervision, CVPR 2021: each network learns from
the hard labels of the other, all voxels alike (plain). Three things are ours, in both losses, as this is the default
recipe: labels come from the other network's moving average, patches are pasted (pasted.py) where the paper has
CutMix, and the networks warm up on labelled patches. The official losses have none of the three: each network learns
from the other's labels of the same whole patches from the first step, as in MetaSSL's script.
"""

from __future__ import annotations

import torch
from torch import nn

from metassl.data.plan import Plan
from metassl.data.streams import Batch
from metassl.frameworks.base import StepOutput
from metassl.frameworks.pair import both
from metassl.frameworks.pasted import Pasted, unlabelled_strength
from metassl.frameworks.pasting import PastingFramework
from metassl.method.counting import added


class CrossPseudoSupervision(PastingFramework):
    """Each network learns from the arg-max of the other's moving average."""

    name = "cps"

    def __init__(self, plan: Plan, loss: str):
        super().__init__(plan, loss, networks=2)

    def since_warm_up(self, fraction: float) -> float:
        return fraction if self.is_official else super().since_warm_up(fraction)

    def training_loss(self, batch: Batch, fraction: float) -> StepOutput:
        if self.is_official:
            first, second = (self.logits(network, both(batch)) for network in self.networks)
            return self.metassl_step(first, second, batch, fraction)
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

    def inference_pair(self) -> tuple[nn.Module, nn.Module]:
        return self.averages[0], self.averages[1]

    def start_from(self, networks: tuple[nn.Module, nn.Module]) -> None:
        for own, average, given in zip(self.networks, self.averages, networks, strict=True):
            own.load_state_dict(given.state_dict())
            average.load_state_dict(given.state_dict())
