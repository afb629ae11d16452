"""What a semi-supervised framework has to say, so that the loop can train it and the map can show its pair."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import nn

from metassl.data.network import build_network, memory_format
from metassl.data.plan import Plan
from metassl.data.streams import Batch
from metassl.hosts.pasted import WARM_UP, Pasted, weighted_supervision
from metassl.hosts.weighting import RegionWeighting
from metassl.project.images import IGNORE
from metassl.training.device import autocast

EMA_DECAY = 0.99
WARM_UP_COST = 0.7  # of a full step, roughly; only the first estimate of the time rests on it


@dataclass
class StepOutput:
    """total: the scalar to minimise; parts: its named pieces; regions: fraction of the unlabelled voxels in each."""

    total: torch.Tensor
    parts: dict[str, torch.Tensor] = field(default_factory=dict)
    regions: dict[str, torch.Tensor] | None = None


class Host(nn.Module, ABC):
    """`networks` are trained; `averages` follow them (EMA) and make the predictions that others learn from.

    Everything a resumed run needs, thresholds included, is in the state dict.
    """

    name: str
    title: str
    citation: str

    def __init__(self, plan: Plan, loss: str, networks: int):
        super().__init__()
        self.plan, self.loss_name = plan, loss
        self.networks = nn.ModuleList(build_network(plan) for _ in range(networks))
        self.averages = nn.ModuleList(frozen_copy(network) for network in self.networks)
        self.weighting = RegionWeighting(plan.classes)
        self.device, self.precision = torch.device("cpu"), "fp32"

    @abstractmethod
    def training_loss(self, batch: Batch, fraction: float) -> StepOutput:
        """The loss of one step; fraction 0..1 of the schedule."""

    @abstractmethod
    def inference_pair(self) -> tuple[nn.Module, nn.Module]:
        """The two networks whose agreement the region map shows."""

    @abstractmethod
    def start_from(self, networks: tuple[nn.Module, nn.Module]) -> None:
        """Take the weights of an earlier round's pair."""

    def cost_to_come(self, fraction: float) -> float:
        """Mean cost of the steps still to come, in units of a step at this fraction of the schedule."""
        if fraction >= WARM_UP:
            return 1.0
        return (WARM_UP - fraction + (1 - WARM_UP) / WARM_UP_COST) / (1 - fraction)

    def trained_parameters(self) -> Iterable[nn.Parameter]:
        return self.networks.parameters()

    def run_on(self, device: torch.device, precision: str) -> None:
        """Set the device, the precision and the memory layout of the forward passes."""
        self.device, self.precision = device, precision
        self.to(device, memory_format=memory_format(device.type))

    def log_softmax(self, network: nn.Module, images: torch.Tensor) -> torch.Tensor:
        """(B, K, z, y, x) in float32, whatever the precision of the network."""
        images = images.contiguous(memory_format=memory_format(self.device.type))
        with autocast(self.device, self.precision):
            logits = network(images)
        return logits.float().log_softmax(1)

    def softmax(self, network: nn.Module, images: torch.Tensor) -> torch.Tensor:
        return self.log_softmax(network, images).exp()

    def supervised_step(self, batch: Batch) -> StepOutput:
        """Labelled patches only: how every host warms up."""
        ones = torch.ones_like(batch.annotation, dtype=torch.float32)
        total = sum(
            weighted_supervision(self.log_softmax(network, batch.labelled), batch.annotation, ones)
            for network in self.networks
        )
        return StepOutput(total, {"total": total.detach()})

    def pasted_loss(
        self,
        index: int,
        pasted: Pasted,
        log_softmax: torch.Tensor,
        annotation: torch.Tensor,
        pseudo: torch.Tensor,
        doubt: torch.Tensor,
        strength: float,
    ) -> torch.Tensor:
        """Loss of network `index` on its pasted patches; pseudo-labels and their weights (B, z, y, x)."""
        target = pasted.join(annotation, pseudo)
        if self.loss_name == "metassl":
            annotated = target.masked_fill(~pasted.from_label, IGNORE)
            trust = self.weighting.labelled(index, log_softmax.detach().exp(), annotated)
        else:
            trust = doubt = torch.ones_like(doubt)
        return weighted_supervision(log_softmax, target, pasted.join(trust, strength * doubt))

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        """Move the averages: decay min(1 - 1/(t+1), 0.99), so that step 0 copies."""
        weight = 1.0 - min(1.0 - 1.0 / (step + 1), EMA_DECAY)
        for network, average in zip(self.networks, self.averages, strict=True):
            torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), weight)
            for own, other in zip(average.buffers(), network.buffers(), strict=True):
                own.copy_(other)


def frozen_copy(network: nn.Module) -> nn.Module:
    return copy.deepcopy(network).requires_grad_(False)
