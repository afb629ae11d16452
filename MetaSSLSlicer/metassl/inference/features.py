"""What the first network sees in an image, as a short vector: for choosing cases that differ from each other.

The deepest feature map of a U-Net, averaged over the image. It comes out of the pass that predicts the case, so it
costs nothing; labelled cases, which are not predicted, take a pass of that one network.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial

import numpy as np
import torch
from torch import nn

from metassl.data.plan import Plan
from metassl.data.streams import PreparedCase
from metassl.files.errors import MetaSSLError
from metassl.files.json_files import write_json
from metassl.imaging.images import IGNORE
from metassl.inference.model import TrainedModel
from metassl.inference.sliding_window import predict_pair
from metassl.inference.smaller_windows import with_smaller_windows
from metassl.project.project import Project
from metassl.project.rounds import Round

LENGTH = 64
"""Longer vectors are projected at random, which keeps distances (Johnson and Lindenstrauss, 1984) within a tenth."""

DIGITS = 4


class BottleneckMean:
    """Averages the network's bottleneck over every window that passes through it inside `with`."""

    def __init__(self, network: nn.Module) -> None:
        stages = {name.rpartition(".")[2]: stage for name, stage in network.named_modules()}
        self._stage = stages.get("bottleneck")
        self._handle = None
        self._sum: torch.Tensor | None = None
        self._windows = 0

    def __enter__(self) -> BottleneckMean:
        if self._stage is not None:
            self._handle = self._stage.register_forward_hook(lambda _stage, _inputs, output: self.add(output))
        return self

    def __exit__(self, *_error: object) -> None:
        if self._handle is not None:
            self._handle.remove()

    def add(self, features: torch.Tensor) -> None:
        """features: (windows, F, z, y, x)."""
        total = features.detach().float().mean(dim=(2, 3, 4)).sum(0)
        self._sum = total if self._sum is None else self._sum + total
        self._windows += len(features)

    def vector(self) -> list[float] | None:
        """At most LENGTH numbers; None when no window passed, or a value is not finite."""
        if self._sum is None:
            return None
        mean = shortened((self._sum / self._windows).cpu().numpy().astype(np.float64))
        return [float(f"{value:.{DIGITS}g}") for value in mean] if np.isfinite(mean).all() else None


def shortened(vector: np.ndarray) -> np.ndarray:
    """(F,) as it is, or projected to (LENGTH,)."""
    if len(vector) <= LENGTH:
        return vector
    directions = np.random.RandomState(0).standard_normal((LENGTH, len(vector)))
    projected: np.ndarray = directions @ vector / math.sqrt(LENGTH)
    return projected


def image_features(network: nn.Module, image: np.ndarray, plan: Plan, device: torch.device) -> list[float] | None:
    """The same vector for an image (C, z, y, x) on the plan's grid, from the same windows."""
    with BottleneckMean(network) as mean:
        predict_pair([network], image, plan, device)
    return mean.vector()


def write_labelled_cases(project: Project, found: Round, model: TrainedModel, cases: Iterable[PreparedCase]) -> None:
    """Features of the cases that the round learnt from, and the volume of every structure in ml where it is known."""
    if found.labelled_path.exists():
        return

    entries = {}
    for case in cases:
        work = partial(image_features, model.networks[0], case.image)
        features = with_smaller_windows(model.networks, model.plan, model.device, case.id, work)
        entries[case.id] = {"features": features, "volume_ml": _volumes(project, found, case.id)}
    write_json(found.labelled_path, {"cases": entries})


def _volumes(project: Project, found: Round, case_id: str) -> dict[str, float]:
    try:
        label, geometry = project.read_label(case_id, found.record["labels"][case_id])
    except MetaSSLError:
        return {}  # its file went away meanwhile
    voxels = np.bincount(label.ravel(), minlength=256)
    if voxels[IGNORE]:
        return {}  # the annotated part is not the volume
    told = (found.record.get("coverage") or {}).get(case_id, project.values)
    return {each.name: float(voxels[each.value] * geometry.voxel_ml) for each in project.labels if each.value in told}
