"""How much every voxel counts: the paper's regions and weights, for frameworks that paste their patches."""

from __future__ import annotations

import torch
from torch import nn

from metassl.imaging.images import IGNORE
from metassl.method.loss import region_weight_map
from metassl.method.prediction import predict_from_probabilities
from metassl.method.presets import METASSL, Preset
from metassl.method.regions import REGIONS, partition, partition_against_annotation
from metassl.method.thresholds import Half


class RegionWeighting(nn.Module):
    """The adaptive thresholds of one training, and the weights of the preset: float32 (5,) by region, with the module
    on its device, as a copy in each step would wait for it.
    """

    labelled_weights: torch.Tensor
    unlabelled_weights: torch.Tensor

    def __init__(self, classes: int, preset: Preset = METASSL):
        super().__init__()
        weights = preset.weights
        self.register_buffer("labelled_weights", torch.tensor(weights.labelled.table()), persistent=False)
        self.register_buffer("unlabelled_weights", torch.tensor(weights.unlabelled.table()), persistent=False)
        self.thresholds = preset.thresholds(classes)

    @torch.no_grad()
    def unlabelled(
        self, softmaxes: list[torch.Tensor], valid: torch.Tensor | None = None
    ) -> tuple[list[tuple[torch.Tensor, torch.Tensor]], dict[str, torch.Tensor]]:
        """Per reference of the two: (pseudo-labels, weight map), both (B, z, y, x); region shares.

        Voxels where `valid` (bool, B, z, y, x) is false take no part.
        """
        ignored = None if valid is None else ~valid
        predictions = [predict_from_probabilities(softmax) for softmax in softmaxes]
        taught, shares = [], []
        for n, (labels, confidence) in enumerate(predictions):
            self.thresholds.update(labels, confidence, Half.UNLABELLED, n, valid)
            thresholds = self.thresholds.per_class(Half.UNLABELLED, n)
            other = predictions[1 - n].labels
            regions = partition(labels, confidence, other, thresholds, ignored)
            taught.append((labels, region_weight_map(regions, self.unlabelled_weights)))
            counts = torch.stack([(regions == region).sum() for region in REGIONS])
            shares.append(counts / counts.sum().clamp_min(1))
        means = torch.stack(shares).mean(0)
        return taught, {region.name: means[i] for i, region in enumerate(REGIONS)}

    @torch.no_grad()
    def labelled(self, network: int, softmax: torch.Tensor, annotation: torch.Tensor) -> torch.Tensor:
        """Weight map (B, z, y, x) of annotated voxels: the network's own prediction against them."""
        labels, confidence = predict_from_probabilities(softmax)
        self.thresholds.update(labels, confidence, Half.LABELLED, network, annotation != IGNORE)
        thresholds = self.thresholds.per_class(Half.LABELLED, network)
        regions = partition_against_annotation(labels, confidence, annotation, thresholds)
        return region_weight_map(regions, self.labelled_weights)
