"""What must hold for a plan, however it was made or read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metassl.data.plan import Plan

FEWEST_LEVELS = 3
"""Of a DynUNet."""

MOST_LEVELS, MAX_FILTERS = 12, 4096
"""Far beyond what a plan is given: a plan that asks for more is no plan of ours, and could ask for any memory."""

MAX_PATCH_VOXELS, MAX_BATCH = 2**27, 256
"""512 x 512 x 512."""

MAX_CHANNELS, MAX_CLASSES = 256, 255
"""Annotations are uint8, and 255 means not annotated."""

PRECISIONS = ("bf16", "fp16", "fp32")
DEVICES = ("", "cpu", "cuda", "mps")
AXES = ("patient", "stack")
SCHEMES = {"robust_zscore": (), "ct_window": ("low", "high", "mean", "std")}
"""The intensity schemes, and the numbers that each needs."""


def problem_of(plan: Plan) -> str:
    """What is wrong with a plan, naming the field; '' when nothing is."""

    def triple(value, kind, least) -> bool:
        return (
            isinstance(value, tuple)
            and len(value) == 3
            and all(_number(n, kind) and n >= least for n in value)
        )

    try:
        checks = {
            "axes": plan.axes in AXES,
            "spacing_zyx": triple(plan.spacing_zyx, float, 1e-6),
            "source_spacing_zyx": triple(plan.source_spacing_zyx, float, 1e-6),
            "patch_zyx": triple(plan.patch_zyx, int, 1) and math.prod(plan.patch_zyx) <= MAX_PATCH_VOXELS,
            "batch": len(plan.batch) == 2
            and all(_number(n, int) and n <= MAX_BATCH for n in plan.batch)
            and plan.batch[0] >= 1
            and plan.batch[1] >= 0,
            "filters": FEWEST_LEVELS <= len(plan.filters) <= MOST_LEVELS
            and all(_number(f, int) and 0 < f <= MAX_FILTERS for f in plan.filters),
            "kernels": len(plan.kernels) == len(plan.filters)
            and all(triple(k, int, 1) and set(k) <= {1, 3} for k in plan.kernels),
            "strides": len(plan.strides) == len(plan.filters)
            and all(triple(s, int, 1) and set(s) <= {1, 2} for s in plan.strides),
            "in_channels": _number(plan.in_channels, int) and 1 <= plan.in_channels <= MAX_CHANNELS,
            "intensity": len(plan.intensity) == plan.in_channels
            and all(_scheme_is_right(scheme) for scheme in plan.intensity),
            "classes": _number(plan.classes, int) and 2 <= plan.classes <= MAX_CLASSES,
            "precision": plan.precision in PRECISIONS,
            "device": plan.device in DEVICES,
        }
    except (TypeError, KeyError, AttributeError) as error:
        return f"a field has the wrong form ({error})"
    for name, right in checks.items():
        if not right:
            return f"{name} is {getattr(plan, name)!r}"
    if any(p % t for p, t in zip(plan.patch_zyx, plan.total_stride, strict=True)):
        return f"patch_zyx {plan.patch_zyx} is no multiple of the strides {plan.total_stride}"
    return ""


def _number(value: Any, kind: type) -> bool:
    kinds = (int, float) if kind is float else (int,)
    return isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)


def _scheme_is_right(scheme: Mapping[str, Any]) -> bool:
    numbers = SCHEMES[scheme["scheme"]]
    if not all(_number(scheme[name], float) for name in numbers):
        return False
    return not numbers or (scheme["low"] <= scheme["high"] and scheme["std"] > 0)
