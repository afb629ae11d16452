"""A pass over an image for which the memory is too small is done again with smaller windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import torch

from metassl.inference.model import TrainedModel
from metassl.networks.memory import OUT_OF_MEMORY_ERRORS, is_out_of_memory, smaller_patch
from metassl.project.errors import ImageError

Result = TypeVar("Result")


def with_smaller_windows(
    model: TrainedModel,
    case_id: str,
    work: Callable[[TrainedModel], Result],
    told: Callable[[str], object] = lambda windows: None,
) -> Result:
    """work(model) or, each time that the memory runs out, with half the patch; told("16 x 32 x 32") which.

    Raises ImageError naming the case when the smallest windows are too large.
    """
    while True:
        try:
            return work(model)
        except OUT_OF_MEMORY_ERRORS as error:
            if not is_out_of_memory(error):
                raise
        patch = smaller_patch(model.plan)
        if patch is None:
            raise ImageError(
                f"case {case_id}: the memory is too small for this image, even with the smallest windows: close other "
                "programs, or use a machine with more memory"
            )
        if model.device.type == "cuda":
            torch.cuda.empty_cache()
        model = replace(model, plan=replace(model.plan, patch_zyx=patch))
        told(" x ".join(map(str, patch)))
