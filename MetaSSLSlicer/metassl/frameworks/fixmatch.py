"""FixMatch: the confident labels of a weak view teach a strongly changed view of the same patch.

Sohn et al., FixMatch: Simplifying Semi-Supervised Learning with Consistency and Confidence, NeurIPS 2020. The weak
view is the patch as the sampler made it. The strong one has other intensities, a box cut out, whose voxels take no
part (French et al., Semi-supervised semantic segmentation needs strong, varied perturbations, BMVC 2020), and channel
dropout in the decoder (as in Yang et al., UniMatch, CVPR 2023), so that the network knows the dropout passes that the
map shows. The official losses part labelled voxels, too, by a second prediction: such a dropout pass, without
gradient.
"""

from __future__ import annotations

import torch

from metassl.data.streams import Batch
from metassl.frameworks.base import StepOutput
from metassl.frameworks.decoder import DROPOUT, decode, encode
from metassl.frameworks.pair import DropoutPassesFramework
from metassl.frameworks.views import strong_view
from metassl.method.prediction import predict
from metassl.method.supervised import cross_entropy_map, supervised_loss, valid_mean

CONFIDENCE = 0.95  # the paper's threshold tau
UNLABELLED_WEIGHT = 1.0  # the paper's lambda_u; it has no ramp


class FixMatch(DropoutPassesFramework):
    """One network; its prediction of the weak view is the reference, and gets no gradient."""

    name = "fixmatch"

    def training_loss(self, batch: Batch, fraction: float) -> StepOutput:
        network = self.networks[0]
        with torch.no_grad():
            weak = self.logits(network, batch.unlabelled)
        images, cut_out = strong_view(batch.unlabelled)
        labelled = self.logits(network, batch.labelled)
        strong = self.dropout_pass(images)
        if self.is_official:
            with torch.no_grad():
                weak = torch.cat([self.dropout_pass(batch.labelled), weak])
        if self.loss_name != "plain":
            return self.metassl_step(torch.cat([labelled, strong]), weak, batch, fraction, ~cut_out)
        supervised = supervised_loss(labelled, batch.annotation)
        return self.plain_step(supervised, pseudo_label_loss(strong, weak, ~cut_out), UNLABELLED_WEIGHT)

    def dropout_pass(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (B, K, z, y, x)."""
        network = self.networks[0]
        return self.logits(lambda images: decode(network, encode(network, images), DROPOUT), images)


def pseudo_label_loss(strong: torch.Tensor, weak: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Cross entropy with the weak view's labels where it is confident, divided by ALL valid voxels.

    Logits (B, K, z, y, x); valid (bool, B, z, y, x).
    """
    labels, confidence = predict(weak)
    loss = cross_entropy_map(strong.log_softmax(1), labels)
    return valid_mean(loss * (confidence >= CONFIDENCE), valid)
