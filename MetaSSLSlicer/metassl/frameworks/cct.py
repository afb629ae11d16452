"""Cross-Consistency Training: a second decoder agrees with the first in spite of perturbed features.

Ouali et al., Semi-Supervised Semantic Segmentation with Cross-Consistency Training, CVPR 2020, with one auxiliary
decoder: every step draws one of the paper's three feature perturbations that need no further pass, and applies it to
the features of all levels. The main decoder learns from annotations alone, the auxiliary one from the main decoder's
softmax, the encoder from both. With MetaSSL it is the same, the auxiliary decoder learning by the regions of the main
one's labels: were the main decoder to learn from perturbed features as well, as in the paper's code, it would be worse.
The official losses are that code's: either decoder predicts all patches, and learns from the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from metassl.data.plan import Plan
from metassl.data.streams import Batch
from metassl.frameworks.base import StepOutput
from metassl.frameworks.decoder import decode, encode, encoder_stages
from metassl.frameworks.pair import PairFramework, both, ramp, squared_error

MSE_WEIGHT = 30.0  # the paper's
RAMP = 0.1  # of the schedule, the paper's
SPATIAL_DROPOUT = 0.5
NOISE_RANGE = 0.3
ACTIVE_SHARE = (0.6, 0.9)  # of the highest mean activation; more active places are dropped

Perturbation = Callable[[torch.Tensor], torch.Tensor]


class CrossConsistency(PairFramework):
    """Two networks whose encoders are the same parameters."""

    name = "cct"
    in_parts = False

    def __init__(self, plan: Plan, loss: str):
        super().__init__(plan, loss, networks=2, averaged=False)
        share_encoder(*self.networks)

    def run_on(self, device: torch.device, precision: str) -> None:
        super().run_on(device, precision)
        share_encoder(*self.networks)  # some devices make parameters anew

    def training_loss(self, batch: Batch, fraction: float) -> StepOutput:
        main, auxiliary = self.networks
        perturb = draw_perturbation()
        count = len(batch.labelled)
        first_perturbed = 0 if self.is_official else count

        def predictions(images: torch.Tensor) -> torch.Tensor:
            features = encode(main, images)
            perturbed = decode(auxiliary, [perturb(feature[first_perturbed:]) for feature in features])
            return torch.cat([decode(main, features), perturbed])

        images = both(batch)
        first, second = self.logits(predictions, images).split([len(images), len(images) - first_perturbed])
        if self.is_official:
            return self.metassl_step(first, second, batch, fraction)
        reference = first[count:].detach()
        if self.loss_name != "plain":
            return self.metassl_step(torch.cat([first[:count], second]), reference, batch, fraction)
        consistency = squared_error(second, reference.softmax(1)).mean()
        supervised = self.supervised(first[:count], batch)
        return self.plain_step(supervised, consistency, MSE_WEIGHT * ramp(fraction, RAMP))

    def inference_pair(self) -> tuple[nn.Module, nn.Module]:
        return self.networks[0], self.networks[1]

    def start_from(self, networks: tuple[nn.Module, nn.Module]) -> None:
        for own, given in zip(self.networks, networks, strict=True):
            own.load_state_dict(given.state_dict())

    def begin_with(self, networks: tuple[nn.Module, nn.Module]) -> None:
        super().begin_with((networks[0], networks[0]))  # one encoder serves both


def share_encoder(first: nn.Module, second: nn.Module) -> None:
    """Make the encoder parameters of `second` those of `first`."""
    for source, target in zip(encoder_stages(first), encoder_stages(second), strict=True):
        for own, given in zip(target.modules(), source.modules(), strict=True):
            for name, parameter in given.named_parameters(recurse=False):
                setattr(own, name, parameter)


def draw_perturbation() -> Perturbation:
    """One of the three perturbations of features (B, F, z, y, x)."""
    return PERTURBATIONS[int(torch.randint(len(PERTURBATIONS), ()))]


def spatial_dropout(features: torch.Tensor) -> torch.Tensor:
    return F.dropout3d(features, SPATIAL_DROPOUT)


def feature_noise(features: torch.Tensor) -> torch.Tensor:
    """Every activation times a factor of 1 +- 0.3, the same for all images."""
    return features * torch.empty_like(features[:1]).uniform_(1 - NOISE_RANGE, 1 + NOISE_RANGE)


def feature_drop(features: torch.Tensor) -> torch.Tensor:
    """Without the places of the highest mean activation."""
    activation = features.mean(1, keepdim=True)
    low, high = ACTIVE_SHARE
    limit = activation.amax((1, 2, 3, 4), keepdim=True) * (low + (high - low) * float(torch.rand(())))
    return features * (activation < limit)


PERTURBATIONS: Sequence[Perturbation] = (spatial_dropout, feature_noise, feature_drop)
