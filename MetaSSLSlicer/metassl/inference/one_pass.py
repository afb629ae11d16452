"""One pass of both networks over an image: all that a prediction needs of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from metassl.data.plan import Plan
from metassl.inference.features import BottleneckMean
from metassl.inference.operating_point.point import AS_IT_IS, Point
from metassl.inference.sliding_window import predict_pair
from metassl.inference.smaller_windows import Told, with_smaller_windows


@dataclass(frozen=True)
class Pass:
    """Both networks' softmaxes (2, K, z, y, x) on the plan's grid, and what was seen of the bottleneck meanwhile."""

    pair: np.ndarray
    features: list[float] | None = None

    @staticmethod
    def over(
        networks: Sequence[torch.nn.Module],
        image: np.ndarray,
        plan: Plan,
        device: torch.device,
        point: Point = AS_IT_IS,
    ) -> Pass:
        """One pass over an image (C, z, y, x) on the plan's grid."""
        with BottleneckMean(networks[0]) as features:
            pair = predict_pair(networks, image, plan, device, point=point)
        return Pass(pair, features.vector())


def fitting_pass(
    networks: Sequence[torch.nn.Module],
    image: np.ndarray,
    case_id: str,
    plan: Plan,
    device: torch.device,
    told: Told = lambda case, how: None,
    point: Point = AS_IT_IS,
) -> Pass:
    """The same, in windows that fit into the memory. ImageError naming the case where none does."""

    def work(plan: Plan, device: torch.device) -> Pass:
        return Pass.over(networks, image, plan, device, point)

    return with_smaller_windows(networks, plan, device, case_id, work, told)
