"""Bidirectional Copy-Paste: labelled and unlabelled patches pasted into each other, both ways.

Bai et al., Bidirectional Copy-Paste for Semi-Supervised Medical Image Segmentation, CVPR 2023. The moving average
labels the clean unlabelled patch; each class keeps its largest component. The student sees the labelled patch's box in
the unlabelled patch, and the other way round. It starts on labelled patches pasted into each other. With MetaSSL the
voxels' regions weigh them, all else is the same. The official losses compare the student's prediction of pasted
patches, put together again, with the teacher's of the clean ones, whose smaller components stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import SimpleITK as sitk
import torch
from torch import nn

from metassl.data.plan import Plan
from metassl.data.streams import Batch
from metassl.frameworks.base import StepOutput
from metassl.frameworks.pair import both
from metassl.frameworks.pasted import UNLABELLED_WEIGHT, Pasted, boxes_for, weighted_supervision
from metassl.frameworks.pasting import PastingFramework
from metassl.method.counting import added
from metassl.method.prediction import predict_from_probabilities


class BidirectionalCopyPaste(PastingFramework):
    """One network is trained; the pair that the map shows is the student and its teacher."""

    name = "bcp"
    warm_up_cost = 0.45  # of a step: one pass instead of two and the teacher's

    def __init__(self, plan: Plan, loss: str):
        super().__init__(plan, loss, networks=1)

    def training_loss(self, batch: Batch, fraction: float) -> StepOutput:
        if self.since_warm_up(fraction) < 0:
            return self.supervised_step(paste_labelled(batch))
        if self.is_official:
            return self.official_step(batch, fraction)
        with torch.no_grad():
            teacher = keep_largest(self.softmax(self.averages[0], batch.unlabelled))
        inward, outward = Pasted.both_ways(batch)
        images = torch.cat([inward.images, outward.images])
        predicted = self.log_softmax(self.networks[0], images).chunk(2)
        log_softmaxes = [each.as_annotated(part) for each, part in zip((inward, outward), predicted, strict=True)]
        if self.loss_name != "plain":
            pseudo, trust, uncertainty, regions = self.by_region(batch, teacher, inward, log_softmaxes)
        else:
            pseudo = predict_from_probabilities(teacher).labels
            trust = uncertainty = torch.ones_like(teacher[:, 0])
            regions = None
        losses = []
        for pasted, log_softmax in zip((inward, outward), log_softmaxes, strict=True):
            target, known = pasted.join(batch.annotation, pseudo), pasted.from_label
            losses.append(weighted_supervision(log_softmax, target, trust * known))
            losses.append(UNLABELLED_WEIGHT * weighted_supervision(log_softmax, target, uncertainty * ~known))
        total = added(losses)
        return StepOutput(total, {"total": total.detach()}, regions)

    def official_step(self, batch: Batch, fraction: float) -> StepOutput:
        with torch.no_grad():
            teacher = self.logits(self.averages[0], both(batch))
        pasted = Pasted.both_ways(batch)
        inside, outside = self.logits(self.networks[0], torch.cat([each.images for each in pasted])).chunk(2)
        box = pasted[0].from_label[:, None]
        student = torch.cat([torch.where(box, inside, outside), torch.where(box, outside, inside)])
        return self.metassl_step(student, teacher, batch, fraction)

    @torch.no_grad()
    def by_region(
        self, batch: Batch, teacher: torch.Tensor, inward: Pasted, log_softmaxes: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
        """Pseudo-labels, weights of labelled and of unlabelled voxels (B, z, y, x), region shares.

        Together the two pasted patches hold every voxel once, so the student has predicted both patches whole.
        """
        inside, outside = (log_softmax.exp() for log_softmax in log_softmaxes)
        box = inward.from_label[:, None]
        (_, (pseudo, uncertainty)), regions = self.weighting.unlabelled([torch.where(box, outside, inside), teacher])
        trust = self.weighting.labelled(0, torch.where(box, inside, outside), batch.annotation)
        return pseudo, trust, uncertainty, regions

    def inference_pair(self) -> tuple[nn.Module, nn.Module]:
        return self.networks[0], self.averages[0]

    def start_from(self, networks: tuple[nn.Module, nn.Module]) -> None:
        self.networks[0].load_state_dict(networks[0].state_dict())
        self.averages[0].load_state_dict(networks[1].state_dict())


def paste_labelled(batch: Batch) -> Batch:
    """Every labelled patch with a box of the next one; a batch of one stays as it is."""
    box = boxes_for(batch)
    images = torch.where(box, batch.labelled, batch.labelled.roll(1, 0))
    annotation = torch.where(box[:, 0], batch.annotation, batch.annotation.roll(1, 0))
    missing = batch.missing
    if missing is not None:
        missing = torch.where(box, missing, missing.roll(1, 0))
    return replace(batch, labelled=images, annotation=annotation, missing=missing)


def keep_largest(softmax: torch.Tensor) -> torch.Tensor:
    """Softmax (B, K, z, y, x) that has lost all but background where a smaller component of its arg-max lay.

    So such a voxel is background, and as confident as the network was of that: hardly.
    """
    labels = predict_from_probabilities(softmax).labels
    removed = largest_components(labels, softmax.shape[1]) != labels
    kept = softmax.clone()
    kept[:, 1:].masked_fill_(removed[:, None], 0)
    return kept


def largest_components(labels: torch.Tensor, classes: int) -> torch.Tensor:
    """Labels (B, z, y, x) int64 with the largest component of every class but 0; the others become 0."""
    kept = np.zeros(labels.shape, np.int64)
    for image, into in zip(labels.cpu().numpy(), kept, strict=True):
        for value in range(1, classes):
            components = sitk.ConnectedComponent(sitk.GetImageFromArray((image == value).astype(np.uint8)), True)
            into[sitk.GetArrayFromImage(sitk.RelabelComponent(components)) == 1] = value
    return torch.from_numpy(kept).to(labels.device)
