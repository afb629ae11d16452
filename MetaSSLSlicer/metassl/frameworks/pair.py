"""What the frameworks share that compare two predictions of the same patches."""

from __future__ import annotations

import torch
from torch import nn

from metassl.data.plan import Plan
from metassl.data.streams import Batch
from metassl.frameworks.base import Framework, StepOutput
from metassl.frameworks.decoder import load_thinned_pair, thinned_pair
from metassl.method.metassl_loss import MetaSSLLoss, consistency_ramp

RAMP = 0.4  # of the schedule, until the unlabelled voxels count in full (plain)
RAMP_STEP = 1e-3


def ramp(fraction: float, length: float = RAMP) -> float:
    """exp(-5 (1 - x)^2) with x = fraction / length, at most 1: the ramp-up of all these papers; 0.007..1."""
    return consistency_ramp(fraction, 1.0, length, RAMP_STEP)


def halves(tensor: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """The labelled and the unlabelled part of what was computed from `both(batch)`."""
    labelled, unlabelled = tensor.split([len(batch.labelled), len(batch.unlabelled)])
    return labelled, unlabelled


def both(batch: Batch) -> torch.Tensor:
    """Labelled and unlabelled patches in one (B_l + B_u, C, z, y, x), labelled first."""
    return torch.cat([batch.labelled, batch.unlabelled])


def squared_error(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """(B, z, y, x): mean over the classes, both softmaxes (B, K, z, y, x); `target` is one already."""
    return (logits.softmax(1) - target).square().mean(1)


class PairFramework(Framework):
    """With all losses but plain these frameworks minimise J of METHOD.md, section 4; only their two predictions differ.

    wiring: "mt": the first prediction learns from the second; "cps" and "cct": each from the other. The official
    losses have that of their script.
    """

    wiring = "mt"

    def __init__(self, plan: Plan, loss: str, networks: int, averaged: bool = True):
        super().__init__(plan, loss, networks, averaged)
        wiring = {} if self.is_official else {"framework": self.wiring}
        self.objective = MetaSSLLoss(plan.classes, self.preset(), **wiring)

    def second_sees(self, batch: Batch) -> torch.Tensor:
        """The patches of which the objective needs the second prediction: (B, C, z, y, x)."""
        return both(batch) if self.objective.needs_teacher_on_labelled else batch.unlabelled

    def plain_step(self, supervised: torch.Tensor, unlabelled: torch.Tensor, weight: float) -> StepOutput:
        """The framework's own loss: supervised + weight * unlabelled."""
        total = supervised + weight * unlabelled
        parts = {"total": total, "supervised": supervised, "unlabelled": unlabelled}
        return StepOutput(total, {name: part.detach() for name, part in parts.items()})


class DropoutPassesFramework(PairFramework):
    """One network without moving average, trained with channel dropout in its decoder."""

    def __init__(self, plan: Plan, loss: str):
        super().__init__(plan, loss, networks=1, averaged=False)

    def inference_pair(self) -> tuple[nn.Module, nn.Module]:
        return thinned_pair(self.networks[0], self.plan)

    def start_from(self, networks: tuple[nn.Module, nn.Module]) -> None:
        load_thinned_pair(self.networks[0], networks)
