"""A finished model: the pair of networks, their plan, their calibrated thresholds and the label values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from metassl.data.network import build_network
from metassl.data.plan import Plan
from metassl.project.errors import ProjectError
from metassl.training.checkpoint import load_checkpoint, save_checkpoint


@dataclass
class TrainedModel:
    """thresholds: float32 (2, K); values: annotation value of each class, background first; step: trained steps."""

    networks: tuple[torch.nn.Module, torch.nn.Module]
    plan: Plan
    thresholds: torch.Tensor
    values: list[int]
    host: str
    step: int
    device: torch.device

    def save(self, path: Path) -> None:
        save_checkpoint(
            path,
            {
                "networks": [network.state_dict() for network in self.networks],
                "plan": self.plan.to_json(),
                "thresholds": self.thresholds.cpu(),
                "values": list(self.values),
                "host": self.host,
                "step": self.step,
            },
        )

    @staticmethod
    def load(path: Path, device: torch.device) -> TrainedModel:
        content = load_checkpoint(path)
        try:
            plan = Plan.from_json(content["plan"])
            networks = []
            for state in content["networks"]:
                network = build_network(plan)
                network.load_state_dict(state)
                networks.append(network.to(device).eval())
            return TrainedModel(
                tuple(networks),
                plan,
                content["thresholds"],
                content["values"],
                content["host"],
                content["step"],
                device,
            )
        except (KeyError, TypeError, RuntimeError) as error:
            raise ProjectError(f"{path} is not a MetaSSL model: {error}".splitlines()[0]) from error
