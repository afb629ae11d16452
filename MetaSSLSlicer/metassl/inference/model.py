"""A finished model: the pair of networks, their plan, their calibrated thresholds and the label values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from metassl.data.plan import Plan
from metassl.files.errors import ProjectError
from metassl.imaging.images import IGNORE
from metassl.inference.calibration import UNSEEN_CLASS_THRESHOLD
from metassl.inference.error_model import ErrorModel
from metassl.inference.operating_point.point import AS_IT_IS, Point
from metassl.inference.region_map import SYMMETRIC
from metassl.networks.checkpoint import load_checkpoint, save_checkpoint
from metassl.networks.memory_ladder import is_out_of_memory
from metassl.networks.outputs import grown, with_classes
from metassl.networks.unet import build_network
from metassl.project.documents import REGION_MAPS
from metassl.project.structures import LabelDefinition

ELSEWHERE = "elsewhere"
"""The framework of a model that comes from elsewhere: any of ours may go on with it."""


@dataclass
class TrainedModel:
    """thresholds: float32 (2, 2, K), see calibration.py; definition: of the region map.

    values: annotation value of each class, background first; step: trained steps.
    error_model: P(error) of a voxel, where validation cases taught it. point: the operating point, by which all
    softmaxes are moved that predictions are made of; the networks know nothing of it.
    """

    networks: tuple[nn.Module, nn.Module]
    plan: Plan
    thresholds: torch.Tensor
    values: list[int]
    framework: str
    step: int
    device: torch.device
    error_model: ErrorModel | None = None
    definition: str = SYMMETRIC
    point: Point = AS_IT_IS

    def save(self, path: Path, **notes: float) -> None:
        """`notes` are kept in the file too; `load` leaves them out."""
        save_checkpoint(
            path,
            {
                "networks": [network.state_dict() for network in self.networks],
                "plan": self.plan.to_json(),
                "thresholds": self.thresholds.cpu(),
                "values": list(self.values),
                "framework": self.framework,
                "step": self.step,
                "definition": self.definition,
                "offsets": None if self.point.offsets is None else list(self.point.offsets),
                "one_piece": list(self.point.one_piece),
                "error_model": None if self.error_model is None else self.error_model.state_dict(),
                **notes,
            },
        )

    @staticmethod
    def load(path: Path, device: torch.device) -> TrainedModel:
        content = load_checkpoint(
            path, networks=list, plan=dict, thresholds=torch.Tensor, values=list, framework=str, step=int
        )
        return TrainedModel.of(content, path, device)

    @staticmethod
    def of(content: Mapping[str, Any], path: Path, device: torch.device) -> TrainedModel:
        """The model of the entries that `save` writes, read from `path`. Raises ProjectError when it is none."""
        try:
            plan = Plan.from_json(content["plan"])
            learnt = content.get("error_model")
            first, second = (_loaded(build_network, plan, state) for state in content["networks"])
            model = TrainedModel(
                networks=(first.to(device), second.to(device)),
                plan=plan,
                device=device,
                error_model=None if learnt is None else _loaded(_error_model, plan, learnt).requires_grad_(False),
                definition=content.get("definition", SYMMETRIC),
                point=Point(content.get("offsets"), content.get("one_piece") or ()),
                **{name: content[name] for name in ("thresholds", "values", "framework", "step")},
            )
        except Exception as error:
            if device.type != "cpu" and is_out_of_memory(error):
                raise ProjectError(f"the GPU has no memory left for the model {path}: see what else uses it") from error
            raise ProjectError(f"{path} is not a MetaSSL model: {error}") from error
        if problem := model.problem():
            raise ProjectError(f"{path} is not a MetaSSL model: {problem}; train a new round")
        return model

    def with_outputs_of(self, values: Sequence[int], sources: Mapping[int, int] | None = None) -> TrainedModel:
        """The model with an output for each of `values`: what a new round starts from, its networks alone.

        sources: {one of `values`: that of the same structure in this model}; None where they are the same. A new output
        sees what the background's does, and says NEW_SHARE of its probability. What is not among the sources is
        background from now on, see `networks.outputs`.
        """
        known = {
            0: 0,
            **(sources if sources is not None else {value: value for value in self.values if value in values}),
        }
        own = {value: k for k, value in enumerate(self.values)}
        source = [own.get(known.get(value, -1)) for value in values]
        plan = with_classes(self.plan, source)
        networks = (_loaded(build_network, plan, grown(each.state_dict(), self.plan, source)) for each in self.networks)
        first, second = (network.to(self.device) for network in networks)
        new = torch.tensor([place is None for place in source])
        thresholds = self.thresholds[..., [place or 0 for place in source]].masked_fill(new, UNSEEN_CLASS_THRESHOLD)
        return replace(
            self,
            networks=(first, second),
            plan=plan,
            values=list(values),
            thresholds=thresholds,
            error_model=None,
            point=AS_IT_IS,
        )

    def known(self, labels: Sequence[LabelDefinition]) -> list[LabelDefinition]:
        """Those of a project's structures that it can show: others were added after it was trained."""
        return [label for label in labels if label.value in self.values]

    def problem(self) -> str:
        """What is wrong with a model that was read, as a phrase; "" when nothing is."""
        whole = all(type(value) is int and 0 <= value < IGNORE for value in self.values)
        if not whole or len({*self.values}) != self.plan.classes or len(self.values) != self.plan.classes:
            return "its label values are not those of its classes"
        if len(self.networks) != 2:
            return "it does not hold a pair of networks"
        if self.thresholds.shape not in ((2, 2, self.plan.classes), (2, self.plan.classes)):
            return f"its thresholds have the shape {tuple(self.thresholds.shape)}"
        if not isinstance(self.definition, str) or self.definition not in REGION_MAPS:
            return f"its region map is {self.definition!r}, not {' or '.join(map(repr, REGION_MAPS))}"
        if not self.point.suits(self.plan.classes):
            return f"its operating point is {tuple(self.point)!r}"
        modules = [*self.networks, *([self.error_model] if self.error_model is not None else [])]
        tensors = [self.thresholds, *(tensor for module in modules for tensor in module.state_dict().values())]
        if not all(tensor.dtype == torch.float32 and tensor.isfinite().all() for tensor in tensors):
            return "it holds numbers that are not finite, or of another type"
        return ""


def keep_error_model(path: Path, error_model: ErrorModel | None) -> None:
    """Put it into the model file of a round, in place of a former one."""
    state = None if error_model is None else error_model.state_dict()
    save_checkpoint(path, {**load_checkpoint(path), "error_model": state})


Module = TypeVar("Module", bound=nn.Module)


def _loaded(build: Callable[[Plan], Module], plan: Plan, state: dict) -> Module:
    """A module of the plan with these weights. Its memory is theirs: what a plan claims beyond them takes none."""
    with torch.device("meta"):
        module = build(plan)
    module.load_state_dict(state, assign=True)
    return module.eval()


def _error_model(plan: Plan) -> ErrorModel:
    return ErrorModel(plan.classes, plan.in_channels)
