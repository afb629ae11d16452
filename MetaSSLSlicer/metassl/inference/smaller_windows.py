"""A pass over an image for which the memory is too small is done again with smaller windows, at last on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch

from metassl.data.plan import Plan
from metassl.data.streams import PreparedCase
from metassl.files.errors import ErrorCode, ImageError
from metassl.inference.model import TrainedModel
from metassl.inference.sliding_window import predict_pair
from metassl.networks.memory import OUT_OF_MEMORY_ERRORS, is_out_of_memory, smaller_patch

Result = TypeVar("Result")
Told = Callable[[str, str], object]
"""told(case, how): how the work goes on, "in windows of 16 x 32 x 32" or "on the CPU"."""


def with_smaller_windows(
    model: TrainedModel,
    case_id: str,
    work: Callable[[TrainedModel], Result],
    told: Told = lambda case, how: None,
) -> Result:
    """work(model) or, each time that the memory runs out, with half the patch, then on the CPU.

    Raises ImageError naming the case when the smallest windows are too large there too.
    """
    return _fitting(
        model.networks,
        model.plan,
        model.device,
        case_id,
        lambda plan, device: work(replace(model, plan=plan, device=device)),
        told,
    )


def predict_case(
    networks: Sequence[torch.nn.Module],
    case: PreparedCase,
    plan: Plan,
    device: torch.device,
    told: Told = lambda case, how: None,
    overlap: float = 0.5,
) -> np.ndarray:
    """`predict_pair` of a case that is on the plan's grid, in windows that fit into the memory."""

    def work(plan: Plan, device: torch.device) -> np.ndarray:
        return predict_pair(networks, case.image, plan, device, overlap)

    return _fitting(networks, plan, device, case.id, work, told)


def _fitting(
    networks: Sequence[torch.nn.Module],
    plan: Plan,
    device: torch.device,
    case_id: str,
    work: Callable[[Plan, torch.device], Result],
    told: Told,
) -> Result:
    smaller: Plan | None = plan
    while smaller is not None:
        try:
            return work(smaller, device)
        except OUT_OF_MEMORY_ERRORS as error:
            if not is_out_of_memory(error):
                raise
        if device.type == "cuda":
            torch.cuda.empty_cache()
        patch = smaller_patch(smaller)
        smaller = None if patch is None else replace(smaller, patch_zyx=patch)
        if patch is not None:
            told(case_id, f"in windows of {' x '.join(map(str, patch))}")
    if device.type == "cpu":
        raise ImageError(
            f"case {case_id}: the memory is too small for this image, even with the smallest windows: close other "
            "programs, or use a machine with more memory",
            ErrorCode.OUT_OF_MEMORY,
        )
    told(case_id, "on the CPU")
    try:
        for network in networks:
            network.to("cpu")
        return _fitting(networks, plan, torch.device("cpu"), case_id, work, told)
    finally:
        for network in networks:
            network.to(device)
