"""The last layer of a network for other structures than it was trained on: kept ones keep their weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from metassl.data.plan import Plan

NEW_SHARE = 0.01
"""Of the background's probability: what the output of a structure that was added says before it has learnt anything."""

LAYER = "output_block."
Source = Sequence[int | None]
"""For each class the class that it was, background first; None for a new one."""


def with_classes(plan: Plan, source: Source) -> Plan:
    """The plan of the network with other classes. Of a model from elsewhere those that are not kept stay outputs of the
    last layer, whose probabilities are added to that of the background: what is said of the others is unchanged.
    """
    if plan.given is None:
        return replace(plan, classes=len(source))
    places = {was: k for k, was in enumerate(source) if was is not None}
    new = [k for k, was in enumerate(source) if was is None]
    outputs = (*(places.get(was, 0) for was in plan.given.outputs), *new)
    return replace(plan, classes=len(source), given=replace(plan.given, outputs=outputs))


def grown(state: dict[str, torch.Tensor], plan: Plan, source: Source) -> dict[str, torch.Tensor]:
    """The weights for `with_classes(plan, source)` of those of `plan`."""
    if plan.given is None:
        rows = [was or 0 for was in source]
        new = torch.tensor([was is None for was in source])
    else:
        count = len(plan.given.outputs)
        added = sum(was is None for was in source)
        rows = [*range(count), *[plan.given.outputs.index(0)] * added]
        new = torch.tensor([False] * count + [True] * added)
    state = dict(state)
    for name in [name for name in state if name.startswith(LAYER)]:
        state[name] = state[name][rows]
        if name.endswith("bias"):
            state[name] = state[name] + math.log(NEW_SHARE) * new.to(state[name])
    return state
