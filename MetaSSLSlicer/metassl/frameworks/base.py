"""What a semi-supervised framework has to say, so that the loop can train it and the map can show its pair."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import torch
from torch import nn

from metassl.choices.frameworks import describe_framework
from metassl.data.plan import Plan
from metassl.data.streams import Batch
from metassl.frameworks.decoder import encoder_stages
from metassl.method.counting import added
from metassl.method.metassl_loss import MetaSSLLoss
from metassl.method.presets import Preset, get_preset, official_preset
from metassl.method.regions import REGIONS
from metassl.method.thresholds import AdaptiveThresholds
from metassl.networks.device import autocast
from metassl.networks.processes import ALONE, Processes
from metassl.networks.unet import build_network

EMA_DECAY = 0.99
EMA_SHARE, EMA_FEWEST = 0.05, 10  # of the planned steps; steps


@dataclass
class StepOutput:
    """total: the scalar to minimise; parts: its named pieces; regions: fraction of the unlabelled voxels in each."""

    total: torch.Tensor
    parts: dict[str, torch.Tensor] = field(default_factory=dict)
    regions: dict[str, torch.Tensor] | None = None


class Shares(NamedTuple):
    """Of the learning rate, in the parts of the networks."""

    encoder: float = 1.0
    decoder: float = 1.0
    output: float = 1.0


class Framework(nn.Module, ABC):
    """`networks` are trained; `averages`, where a framework has them, follow them (EMA).

    Everything a resumed run needs, thresholds included, is in the state dict. What a framework is called and where it
    comes from is in `metassl.choices.frameworks`.
    """

    name: str
    planned_steps = 0
    """Of the whole training; 0 while the loop does not know."""
    taught = False
    """Whether its networks began as those of an earlier round."""
    brought = False
    """Whether they came whole from elsewhere, so that they teach each other from the first step."""
    in_parts = True
    """Whether `logits` is asked for one prediction of each patch only, so that processes can share a batch."""
    processes = ALONE
    objective: MetaSSLLoss
    """What `metassl_step` minimises, in frameworks that use it."""

    def __init__(self, plan: Plan, loss: str, networks: int, averaged: bool = True):
        super().__init__()
        self.plan, self.loss_name = plan, loss
        self.networks = nn.ModuleList(build_network(plan) for _ in range(networks))
        self.averages = nn.ModuleList(frozen_copy(network) for network in self.networks if averaged)
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

    def begin_with(self, networks: tuple[nn.Module, nn.Module]) -> None:
        """Take the weights of two whole networks from elsewhere: one each, or of the first where there is only one."""
        for own, given in zip(self.networks, networks, strict=False):
            own.load_state_dict(given.state_dict())
        for own, average in zip(self.networks, self.averages, strict=bool(self.averages)):
            average.load_state_dict(own.state_dict())
        self.brought = True

    def cost(self, fraction: float) -> float:
        """Of a step at this fraction of the schedule, in units of the dearest."""
        return 1.0

    def cost_to_come(self, fraction: float) -> float:
        """Mean `cost` of the steps from this fraction of the schedule to its end."""
        return 1.0

    @property
    def is_official(self) -> bool:
        return self.loss_name.startswith("official")

    def preset(self) -> Preset:
        """The options of the method that the loss stands for. Plain weighs nothing, and watches metassl's regions."""
        if not self.is_official:
            return get_preset("uniform" if self.loss_name == "uniform" else "metassl")
        dimensions = 2 if self.plan.patch_zyx[0] == 1 else 3
        return official_preset(describe_framework(self.name).script, dimensions, self.loss_name != "official")

    def metassl_step(
        self,
        first: torch.Tensor,
        second: torch.Tensor,
        batch: Batch,
        fraction: float,
        valid: torch.Tensor | None = None,
    ) -> StepOutput:
        """J of METHOD.md, section 4, of the logits of two predictions (B_l + B_u, K, z, y, x).

        The second may lack the labelled half where the objective does not need it. Unlabelled voxels where `valid`
        (bool, B_u, z, y, x) is false take no part.
        """
        iteration = round(fraction * self.objective.preset.iterations)
        first, second = (batch.as_annotated(z) if len(z) == len(first) else z for z in (first, second))
        output = self.objective(
            first, second, batch.annotation, len(batch.annotation), iteration, unlabelled_valid=valid
        )
        networks, directions = output.added
        shares = [output.unlabelled[direction].fractions() for direction in directions]
        return StepOutput(
            output.total,
            {
                "total": output.total.detach(),
                "supervised": added(output.supervised[n] for n in networks),
                "labelled": added(output.labelled[n].value.detach() for n in networks),
                "unlabelled": added(output.unlabelled[direction].value.detach() for direction in directions),
            },
            {region.name: added(share[region.name] for share in shares) / len(shares) for region in REGIONS},
        )

    def trained_parameters(self) -> Iterable[nn.Parameter]:
        return self.networks.parameters()

    def share_among(self, processes: Processes) -> None:
        """Have each network pass shared out. Every process then knows the whole batch, so nothing is to be pooled."""
        self.processes = processes
        for module in self.modules():
            if isinstance(module, AdaptiveThresholds):
                module.is_pooled = processes.size == 1

    def parameter_groups(self, shares: Shares) -> list[dict[str, Any]]:
        """The trained parameters for an optimiser; "share": of the learning rate."""
        parameters = list(self.trained_parameters())
        if shares == Shares():
            return [{"params": parameters, "share": 1.0}]
        encoders = [stage for network in self.networks for stage in encoder_stages(network)]
        outputs = [cast(nn.Module, network.output_block) for network in self.networks]
        share_of = {id(parameter): shares.encoder for stage in encoders for parameter in stage.parameters()}
        share_of |= {id(parameter): shares.output for layer in outputs for parameter in layer.parameters()}
        groups: dict[float, list[nn.Parameter]] = {}
        for parameter in parameters:
            groups.setdefault(share_of.get(id(parameter), shares.decoder), []).append(parameter)
        return [{"params": group, "share": share} for share, group in groups.items()]

    def run_on(self, device: torch.device, precision: str) -> None:
        """Set the device and the precision of the forward passes."""
        self.device, self.precision = device, precision
        if device.type == "mps":
            self.float()  # the official thresholds are float64, which it does not know
        self.to(device)

    def logits(self, network: Callable[[torch.Tensor], torch.Tensor], images: torch.Tensor) -> torch.Tensor:
        """(B, K, z, y, x) in float32, whatever the precision of the network."""
        with autocast(self.device, self.precision):
            return self.processes.forward(network, images)

    def log_softmax(self, network: nn.Module, images: torch.Tensor) -> torch.Tensor:
        return self.logits(network, images).log_softmax(1)

    def softmax(self, network: nn.Module, images: torch.Tensor) -> torch.Tensor:
        return self.log_softmax(network, images).exp()

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        """Move the averages: decay min(1 - 1/(t+1), 0.99), so that step 0 copies.

        In a training of few steps an average over 100 would never catch up, so it reaches over a twentieth of them at
        most (but 10).
        """
        planned = self.planned_steps
        decay = min(EMA_DECAY, 1.0 - 1.0 / max(EMA_SHARE * planned, EMA_FEWEST)) if planned else EMA_DECAY
        for network, average in zip(self.networks, self.averages, strict=bool(self.averages)):
            follow(average, network, step, decay)


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, step: int, decay: float) -> None:
    """Move a moving average one step: decay min(1 - 1/(t+1), decay)."""
    weight = 1.0 - min(1.0 - 1.0 / (step + 1), decay)
    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), weight)
    for own, other in zip(average.buffers(), network.buffers(), strict=True):
        own.copy_(other)


def frozen_copy(network: nn.Module) -> nn.Module:
    return copy.deepcopy(network).requires_grad_(False)
