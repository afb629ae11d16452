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
from metassl.inference.sliding_window import predict_pair
from metassl.networks.memory_ladder import OUT_OF_MEMORY_ERRORS, is_out_of_memory, smaller_patch

Result = TypeVar("Result")
Networks = Sequence[torch.nn.Module]
Told = Callable[[str, str], object]
"""told(case, how): how the work goes on, "in windows of 16 x 32 x 32" or "on the CPU"."""


def with_smaller_windows(
    networks: Networks,
    plan: Plan,
    device: torch.device,
    case_id: str,
    work: Callable[[Plan, torch.device], Result],
    told: Told = lambda case, how: None,
) -> Result:
    """work(plan, device) or, each time that the memory runs out, with half the patch, then on the CPU.

    Raises ImageError naming the case when the smallest windows are too large there too.
    """
    fitting, where = plan, device
    try:
        while True:
            try:
                return work(fitting, where)
            except OUT_OF_MEMORY_ERRORS as error:
                if not is_out_of_memory(error):
                    raise
            if where.type == "cuda":
                torch.cuda.empty_cache()
            if (patch := smaller_patch(fitting)) is not None:
                fitting = replace(fitting, patch_zyx=patch)
                told(case_id, f"in windows of {' x '.join(map(str, patch))}")
            elif where.type == "cpu":
                raise ImageError(
                    f"case {case_id}: the memory is too small for this image, even with the smallest windows: close "
                    "other programs, or use a machine with more memory",
                    ErrorCode.OUT_OF_MEMORY,
                )
            else:
                fitting, where = plan, torch.device("cpu")
                told(case_id, "on the CPU")
                _move(networks, where)
    finally:
        if where != device:
            _move(networks, device)


def predict_case(
    networks: Networks, case: PreparedCase, plan: Plan, device: torch.device, told: Told, overlap: float = 0.5
) -> np.ndarray:
    """`predict_pair` of a case that is on the plan's grid, in windows that fit into the memory."""

    def work(plan: Plan, device: torch.device) -> np.ndarray:
        return predict_pair(networks, case.image, plan, device, overlap)

    return with_smaller_windows(networks, plan, device, case.id, work, told)


def _move(networks: Networks, device: torch.device) -> None:
    for network in networks:
        network.to(device)
