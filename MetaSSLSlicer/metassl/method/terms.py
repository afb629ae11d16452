"""The terms of the heterogeneous loss: the four regions, with UC split if asked (section 4).

A term map is a region map in which some UC voxels moved to terms of their own, so that they are
counted and normalised apart:

    0 ignored   1 UC (what the split leaves)   2 US   3 DC   4 DS   5... parts split off UC
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from .regions import Region
from .weights import RegionWeights

UcSplit = Literal["none", "background", "background_twice", "class"]
"""none: UC is one term.
background: UC_foreground and UC_background, each with the weight of UC.
background_twice: the published 2-D slip; UC_foreground repeats UC_background, so that agreed and
    confident foreground has no loss and background counts twice.
class: one term per class.
"""

FIRST_PART = len(Region)
MAX_CLASSES = 250  # a term map is uint8


def term_names(split: UcSplit, num_classes: int) -> tuple[str, ...]:
    """Names of the terms 1, 2, ... of a term map."""
    _check(split, num_classes)
    rest = ("US", "DC", "DS")
    if split == "none":
        return ("UC", *rest)
    if split == "class":
        return ("UC", *rest, *(f"UC_class{k}" for k in range(num_classes)))
    return ("UC_foreground", *rest, "UC_background")


def term_weights(weights: RegionWeights, split: UcSplit, num_classes: int) -> list[float]:
    """Weights indexed by term, 0 (ignored) included."""
    _check(split, num_classes)
    table = weights.table()
    if split == "background":
        return [*table, weights.uc]
    if split == "background_twice":
        table[Region.UC] = 0.0
        return [*table, 2.0 * weights.uc]
    if split == "class":
        return [*table, *[weights.uc] * num_classes]
    return table


def term_map(regions: Tensor, reference_labels: Tensor, split: UcSplit) -> Tensor:
    """Turn a region map (B, ...) into a term map, by the reference's hard labels (B, ...)."""
    if split == "none":
        return regions
    unanimous = regions == Region.UC
    if split == "class":
        part = (reference_labels + FIRST_PART).to(regions.dtype)
        return torch.where(unanimous, part, regions)
    return regions.masked_fill(unanimous & (reference_labels == 0), FIRST_PART)


def _check(split: str, num_classes: int) -> None:
    if split not in ("none", "background", "background_twice", "class"):
        raise ValueError(f"unknown UC split {split!r}")
    if num_classes > MAX_CLASSES:
        raise ValueError(f"{num_classes} classes; at most {MAX_CLASSES} are possible")
