"""What MetaSSLLoss hands back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from .loss import DirectionLoss
from .regions import REGIONS


@dataclass(frozen=True)
class LossOutput:
    """The loss of one step. Only `total` has a gradient; nothing was copied to the host yet.

    total: J. consistency: lambda(t). Networks are counted from 1, as in METHOD.md:
    supervised[n]: S(n). labelled[n]: the regions of L(n). unlabelled[a, b]: those of U(a <- b).
    accuracy[n]: share of annotated voxels that network n labels as the annotation does.
    added: the supervised networks and directions that are part of the total.
    """

    total: Tensor
    consistency: float
    supervised: dict[int, Tensor]
    labelled: dict[int, DirectionLoss]
    unlabelled: dict[tuple[int, int], DirectionLoss]
    accuracy: dict[int, Tensor]
    added: tuple[tuple[int, ...], tuple[tuple[int, int], ...]]

    def partials(self) -> dict[str, Tensor]:
        """Every term by name: supervised/1, labelled/1/DC, unlabelled/1<-2/UC, ...

        The region terms are given before the multiplication by `consistency`.
        """
        named = {f"supervised/{n}": value for n, value in self.supervised.items()}
        for n, direction in self.labelled.items():
            named |= {f"labelled/{n}/{r}": v for r, v in direction.partials().items()}
        for (a, b), direction in self.unlabelled.items():
            named |= {f"unlabelled/{a}<-{b}/{r}": v for r, v in direction.partials().items()}
        return named

    def region_fractions(self) -> dict[str, float]:
        """Shares of UC, US, DC and DS in the unlabelled half, the mean of its directions."""
        return _floats(_mean_fractions(self.unlabelled[key] for key in self.added[1]))

    def labelled_region_fractions(self) -> dict[str, float]:
        """Shares of UC, US, DC and DS among the annotated voxels, the mean of the networks."""
        return _floats(_mean_fractions(self.labelled[n] for n in self.added[0]))

    def log(self) -> dict[str, float]:
        """Numbers for a progress line, in one copy from the device.

        total, supervised, labelled and unlabelled (before `consistency`), consistency, accuracy,
        and ce/REGION, the mean cross-entropy of the unlabelled regions.
        """
        networks, directions = self.added
        values = {
            "total": self.total.detach(),
            "supervised": _sum(self.supervised[n] for n in networks),
            "labelled": _sum(self.labelled[n].value for n in networks),
            "unlabelled": _sum(self.unlabelled[key].value for key in directions),
            "accuracy": _sum(self.accuracy[n] for n in networks) / len(networks),
        }
        means = [self.unlabelled[key].mean_cross_entropy() for key in directions]
        for region in REGIONS:
            values[f"ce/{region.name}"] = _sum(m[region.name] for m in means) / len(means)
        return _floats(values) | {"consistency": self.consistency}


def _mean_fractions(directions: Iterable[DirectionLoss]) -> dict[str, Tensor]:
    shares = [direction.fractions() for direction in directions]
    return {r.name: _sum(share[r.name] for share in shares) / len(shares) for r in REGIONS}


def _sum(values: Iterable[Tensor]) -> Tensor:
    return torch.stack([value.detach() for value in values]).sum()


def _floats(values: dict[str, Tensor]) -> dict[str, float]:
    numbers = torch.stack([value.float() for value in values.values()]).tolist()
    return dict(zip(values, numbers, strict=True))
