"""What the frameworks share that learn on labelled and unlabelled patches pasted into each other.

Losses differ here in the weights of the voxels alone. The official ones know no pasting.
"""

from __future__ import annotations

import torch

from metassl.data.plan import Plan
from metassl.data.streams import Batch
from metassl.frameworks.base import Framework, StepOutput
from metassl.frameworks.pasted import RAMP, WARM_UP, Pasted, warm_up_share, weighted_supervision
from metassl.frameworks.weighting import RegionWeighting
from metassl.imaging.images import IGNORE
from metassl.method.counting import added
from metassl.method.metassl_loss import MetaSSLLoss


class PastingFramework(Framework):
    """Warms up on labelled patches; afterwards every voxel of a pasted patch counts by its region."""

    warm_up_cost = 0.7
    """Of a full step, roughly; how many steps are planned rests on it while warming up."""

    def __init__(self, plan: Plan, loss: str, networks: int):
        super().__init__(plan, loss, networks)
        preset = self.preset()
        self.weighting = RegionWeighting(plan.classes, preset)
        if self.is_official:
            self.objective = MetaSSLLoss(plan.classes, preset)

    def since_warm_up(self, fraction: float) -> float:
        """Share of the schedule that has passed since the warm-up; negative while it lasts.

        Networks from elsewhere need none: of a few labels alone they would first unlearn what they are to teach.
        """
        if self.brought:
            return fraction + RAMP
        return fraction - (WARM_UP if self.taught else warm_up_share(self.planned_steps))

    def cost(self, fraction: float) -> float:
        return self.warm_up_cost if self.since_warm_up(fraction) < 0 else 1.0

    def cost_to_come(self, fraction: float) -> float:
        cheap = max(0.0, -self.since_warm_up(fraction)) / max(1 - fraction, 1e-9)
        return 1 - cheap * (1 - self.warm_up_cost)

    def supervised_step(self, batch: Batch) -> StepOutput:
        """Labelled patches only."""
        ones = torch.ones_like(batch.annotation, dtype=torch.float32)
        total = added(
            weighted_supervision(batch.as_annotated(self.log_softmax(network, batch.labelled)), batch.annotation, ones)
            for network in self.networks
        )
        return StepOutput(total, {"total": total.detach()})

    def pasted_loss(
        self,
        index: int,
        pasted: Pasted,
        log_softmax: torch.Tensor,
        annotation: torch.Tensor,
        pseudo: torch.Tensor,
        uncertainty: torch.Tensor,
        strength: float,
    ) -> torch.Tensor:
        """Loss of network `index` on its pasted patches; pseudo-labels and their weights (B, z, y, x)."""
        target, log_softmax = pasted.join(annotation, pseudo), pasted.as_annotated(log_softmax)
        if self.loss_name != "plain":
            annotated = target.masked_fill(~pasted.from_label, IGNORE)
            trust = self.weighting.labelled(index, log_softmax.detach().exp(), annotated)
        else:
            trust = uncertainty = torch.ones_like(uncertainty)
        return weighted_supervision(log_softmax, target, pasted.join(trust, strength * uncertainty))
