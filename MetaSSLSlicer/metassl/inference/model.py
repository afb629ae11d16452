"""A finished model: the pair of networks, their plan, their calibrated thresholds and the label values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from metassl.data.network import build_network
from metassl.data.plan import Plan
from metassl.inference.error_model import ErrorModel
from metassl.inference.region_map import SYMMETRIC
from metassl.project.errors import ProjectError
from metassl.training.checkpoint import load_checkpoint, save_checkpoint


@dataclass
class TrainedModel:
    """thresholds: float32 (2, 2, K), see calibration.py; definition: of the region map.

    values: annotation value of each class, background first; step: trained steps.
    error_model: P(error) of a voxel, where validation cases taught it.
    """

    networks: tuple[torch.nn.Module, torch.nn.Module]
    plan: Plan
    thresholds: torch.Tensor
    values: list[int]
    host: str
    step: int
    device: torch.device
    error_model: ErrorModel | None = None
    definition: str = SYMMETRIC

    def save(self, path: Path, **notes: float) -> None:
        """`notes` are kept in the file too; `load` leaves them out."""
        save_checkpoint(
            path,
            {
                "networks": [network.state_dict() for network in self.networks],
                "plan": self.plan.to_json(),
                "thresholds": self.thresholds.cpu(),
                "values": list(self.values),
                "host": self.host,
                "step": self.step,
                "definition": self.definition,
                "error_model": None if self.error_model is None else self.error_model.state_dict(),
                **notes,
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
                _error_model(content.get("error_model"), plan),
                content.get("definition", SYMMETRIC),
            )
        except (KeyError, TypeError, RuntimeError) as error:
            raise ProjectError(f"{path} is not a MetaSSL model: {error}".splitlines()[0]) from error


def keep_error_model(path: Path, error_model: ErrorModel) -> None:
    """Add it to the model file of a round."""
    save_checkpoint(path, {**load_checkpoint(path), "error_model": error_model.state_dict()})


def _error_model(state: dict | None, plan: Plan) -> ErrorModel | None:
    if state is None:
        return None
    model = ErrorModel(plan.classes, plan.in_channels)
    model.load_state_dict(state)
    return model.eval().requires_grad_(False)
