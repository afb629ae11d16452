"""R-Drop: two dropout passes of one network agree with each other.

Liang et al., R-Drop: Regularized Dropout for Neural Networks, NeurIPS 2021: the losses of both passes plus alpha times
the symmetric Kullback-Leibler divergence between them. It needs no annotation, so here it runs over the unlabelled
voxels as well. Dropout is that of whole channels in the decoder; the two passes share their encoder.
"""

from __future__ import annotations

import torch

from metassl.data.streams import Batch
from metassl.frameworks.base import StepOutput
from metassl.frameworks.decoder import DROPOUT, decode, encode
from metassl.frameworks.pair import DropoutPassesFramework, both, halves
from metassl.method.counting import added

ALPHA = 1.0  # the paper takes 0.1 to 5, by task


def symmetric_divergence(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """(KL(1, 2) + KL(2, 1)) / 2 of two log-softmaxes (B, K, z, y, x), mean over the voxels."""
    return 0.5 * ((first.exp() - second.exp()) * (first - second)).sum(1).mean()


class RDrop(DropoutPassesFramework):
    """Both passes learn; with MetaSSL each is the other's reference."""

    name = "rdrop"
    in_parts = False
    wiring = "cps"

    def training_loss(self, batch: Batch, fraction: float) -> StepOutput:
        first, second = self.two_passes(both(batch))
        if self.loss_name != "plain":
            return self.metassl_step(first, second, batch, fraction)
        supervised = added(self.supervised(halves(z, batch)[0], batch) for z in (first, second))
        divergence = symmetric_divergence(first.log_softmax(1), second.log_softmax(1))
        return self.plain_step(supervised, divergence, ALPHA)

    def two_passes(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (B, K, z, y, x) of two passes with independent dropout."""

        def passes(images: torch.Tensor) -> torch.Tensor:
            features = encode(self.networks[0], images)
            return torch.cat([decode(self.networks[0], features, DROPOUT) for _ in range(2)])

        first, second = self.logits(passes, images).chunk(2)
        return first, second
