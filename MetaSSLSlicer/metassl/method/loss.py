"""The heterogeneous loss of one direction (METHOD.md, section 4).

HeterogeneousLoss is what MetaSSLLoss uses. A framework with its own targets or views can take the two
functions below instead:

    weights = region_weight_map(partition(...), RegionWeights(uc=1.0, us=0.8, dc=0.2, ds=0.0))
    loss = weighted_cross_entropy(torch.log_softmax(logits, 1), target, weights)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from .counting import added, counts_and_sums, membership
from .regions import REGIONS, Region
from .supervised import cross_entropy_map
from .terms import FIRST_PART, UcSplit, term_map, term_names, term_weights
from .weights import RegionWeights

Normalisation = Literal["region", "global"]


def region_weight_map(regions: Tensor, weights: RegionWeights | Tensor) -> Tensor:
    """Weight of every voxel of a region map (B, ...), float32; 0 where the map is IGNORED.

    `weights` may be their table (5,) on the device of `regions`, which spares a copy per step.
    """
    if isinstance(weights, RegionWeights):
        weights = torch.tensor(weights.table(), device=regions.device)
    return _look_up(weights, regions)


def weighted_cross_entropy(
    log_probabilities: Tensor,
    target: Tensor,
    weight_map: Tensor,
    normalisation: Normalisation = "global",
    regions: Tensor | None = None,
    count_offset: float = 1.0,
) -> Tensor:
    """Weighted cross-entropy of `log_probabilities` (B, C, ...) against `target` (B, ...).

    global: sum_i w_i CE_i / sum_i w_i.
    region: sum over the regions of sum_i w_i CE_i / (N_r + count_offset); needs `regions`, the
    region map, whose IGNORED voxels are left out.
    The gradient reaches `log_probabilities` only.
    """
    weight_map = weight_map.detach()
    if normalisation == "global":
        weight_map = weight_map / weight_map.sum().clamp(min=1e-12)
    elif normalisation != "region":
        raise ValueError(f"unknown normalisation {normalisation!r}")
    elif regions is None:
        raise ValueError("normalisation 'region' needs the region map")
    else:
        counts = membership(regions, len(Region)).sum(dim=(0, 2))
        one_voxel = voxel_weights(torch.ones(len(Region), device=regions.device), counts, "region", count_offset)
        one_voxel[Region.IGNORED] = 0.0
        weight_map = weight_map * _look_up(one_voxel, regions)
    return (weight_map * cross_entropy_map(log_probabilities, target)).sum()


def voxel_weights(
    weights: Tensor,
    counts: Tensor,
    normalisation: Normalisation,
    count_offset: float = 1.0,
    n_min: int = 0,
) -> Tensor:
    """Weight of ONE voxel of every term, such that the loss is sum_i weight(term of i) CE(i).

    weights, counts: (T,) weight and size N of the terms.
    region: w_r / (N_r + count_offset), the weighted sum of the terms' means, as published.
    global: w_r / sum_r w_r N_r, one weighted mean; the order of the weights holds per voxel.
    A term with fewer than `n_min` voxels is left out.
    """
    sizes = counts.to(weights.dtype)
    kept = torch.where(counts >= n_min, weights, 0.0) if n_min else weights
    if normalisation == "region":
        return kept / (sizes + count_offset)
    if normalisation == "global":
        return kept / (kept * sizes).sum().clamp(min=1e-12)
    raise ValueError(f"unknown normalisation {normalisation!r}")


@dataclass(frozen=True)
class DirectionLoss:
    """The loss of one direction and what there is to log about it.

    value: 0-dim, with gradient. regions: uint8 map (B, ...).
    The others are (T,), indexed by term (0 = ignored), without gradient: the number of voxels,
    the sum of their cross-entropies and the weight of one voxel.
    Nothing here has been copied to the host yet.
    """

    value: Tensor
    regions: Tensor
    counts: Tensor
    ce_sums: Tensor
    voxel_weights: Tensor
    split: UcSplit
    num_classes: int

    def partials(self) -> dict[str, Tensor]:
        """Weighted terms by name; they add up to `value`."""
        terms = self.voxel_weights * self.ce_sums
        if self.split == "background_twice":
            terms[FIRST_PART] = terms[FIRST_PART] / 2
            terms[Region.UC] = terms[FIRST_PART]
        return dict(zip(term_names(self.split, self.num_classes), terms[1:], strict=True))

    def fractions(self) -> dict[str, Tensor]:
        """Share of the voxels (ignored ones left out) in each of the four regions."""
        counts = self._per_region(self.counts)
        total = added(counts.values()).clamp(min=1)
        return {name: count / total for name, count in counts.items()}

    def mean_cross_entropy(self) -> dict[str, Tensor]:
        """Unweighted mean cross-entropy in each of the four regions; 0 where it is empty."""
        counts = self._per_region(self.counts)
        sums = self._per_region(self.ce_sums)
        return {name: sums[name] / counts[name].clamp(min=1) for name in sums}

    def _per_region(self, terms: Tensor) -> dict[str, Tensor]:
        values = {region.name: terms[region] for region in REGIONS}
        values["UC"] = values["UC"] + terms[FIRST_PART:].sum()
        return values


class HeterogeneousLoss(nn.Module):
    """sum_r w_r * (cross-entropy of region r), normalised per region or over all voxels.

    weights: of the four regions. uc_split: see terms.py. normalisation, count_offset, n_min: see voxel_weights.
    """

    weights: Tensor

    def __init__(
        self,
        num_classes: int,
        weights: RegionWeights,
        normalisation: Normalisation = "global",
        uc_split: UcSplit = "none",
        count_offset: float = 1.0,
        n_min: int = 0,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.normalisation = normalisation
        self.uc_split = uc_split
        self.count_offset = count_offset
        self.n_min = n_min
        table = torch.tensor(term_weights(weights, uc_split, num_classes))
        self.register_buffer("weights", table, persistent=False)

    def forward(self, ce: Tensor, regions: Tensor, reference_labels: Tensor) -> DirectionLoss:
        """Weigh the cross-entropy map `ce` (B, ...) of the supervised prediction.

        `regions` (B, ...) is the partition, `reference_labels` (B, ...) the hard labels by which
        UC is split.
        """
        terms = term_map(regions, reference_labels, self.uc_split)
        counts, ce_sums = counts_and_sums(terms, ce, len(self.weights))
        one_voxel = voxel_weights(self.weights, counts, self.normalisation, self.count_offset, self.n_min)
        value = (_look_up(one_voxel, terms) * ce).sum()
        return DirectionLoss(value, regions, counts, ce_sums, one_voxel, self.uc_split, self.num_classes)


def _look_up(table: Tensor, index: Tensor) -> Tensor:
    return table.index_select(0, index.reshape(-1).int()).view(index.shape)
