"""Hosts with a single network: the map shows two of its dropout passes."""

from __future__ import annotations

from torch import nn

from metassl.data.plan import Plan
from metassl.hosts.decoder import load_thinned_pair, thinned_pair
from metassl.hosts.pair import PairHost


class DropoutPassesHost(PairHost):
    """One network without moving average, trained with channel dropout in its decoder."""

    def __init__(self, plan: Plan, loss: str):
        super().__init__(plan, loss, networks=1, averaged=False)

    def inference_pair(self) -> tuple[nn.Module, nn.Module]:
        return thinned_pair(self.networks[0], self.plan)

    def start_from(self, networks: tuple[nn.Module, nn.Module]) -> None:
        load_thinned_pair(self.networks[0], networks)
