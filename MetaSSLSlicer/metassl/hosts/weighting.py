"""How much every voxel counts: the paper's regions and weights, as the hosts use them."""

from __future__ import annotations

import torch
from torch import nn

LABELLED, UNLABELLED = 0, 1
W = torch.tensor([0.0, 1.0, 0.8, 0.4, 0.2])
WL = torch.tensor([0.0, 1.0, 0.97, 0.8, 0.5])


class RegionWeighting(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.classes = classes
        self.register_buffer("tau", torch.full((2, 2, classes), 0.9))

    def _update(self, half, net, k, c):
        s = torch.bincount(k.flatten(), c.flatten(), self.classes)
        n = torch.bincount(k.flatten(), minlength=self.classes)
        self.tau[half, net] = torch.where(n > 0, 0.9 * self.tau[half, net] + 0.1 * s / n.clamp_min(1), self.tau[half, net])

    @torch.no_grad()
    def unlabelled(self, softmaxes):
        """[(labels, weight map)] per reference, fractions."""
        (c1, k1), (c2, k2) = (p.max(1) for p in softmaxes)
        out, frac = [], torch.zeros(5)
        for n, (c, k) in enumerate(((c1, k1), (c2, k2))):
            self._update(UNLABELLED, n, k, c)
            conf = c > self.tau[UNLABELLED, n][k]
            r = torch.where(k1 == k2, torch.where(conf, 1, 2), torch.where(conf, 3, 4))
            out.append((k, W[r]))
            frac += torch.bincount(r.flatten(), minlength=5) / r.numel() / 2
        return out, dict(zip(("UC", "US", "DC", "DS"), frac[1:], strict=True))

    @torch.no_grad()
    def labelled(self, network, softmax, annotation):
        c, k = softmax.max(1)
        valid = annotation != 255
        self._update(LABELLED, network, k[valid], c[valid])
        conf = c > self.tau[LABELLED, network][k]
        r = torch.where(k == annotation, torch.where(conf, 1, 2), torch.where(conf, 3, 4))
        return WL[torch.where(valid, r, 0)]
