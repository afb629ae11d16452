"""Cross Pseudo Supervision: two networks teach each other."""

import copy
from dataclasses import replace

import pytest
import torch
from host_checks import HostChecks
from host_parts import LATE, fresh_host, gradients


class TestCrossPseudoSupervision(HostChecks):
    name = "cps"

    def test_each_network_learns_from_the_other_ones_average(self, plan, batch):
        host = fresh_host(self.name, plan, "plain")
        before = gradients(host, batch, LATE)
        with torch.no_grad():
            host.averages[1].output_block.conv.conv.bias.add_(torch.tensor([0.0, 9.0, 0.0]))
        after = gradients(host, batch, LATE)
        changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
        assert changed == {"0"}

    def test_the_two_networks_see_different_patches(self, plan, batch):
        host, seen = fresh_host(self.name, plan), []
        for network in host.networks:
            network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        host.training_loss(batch, LATE)
        assert len(seen) == 2 and not torch.equal(*seen)

    @pytest.mark.parametrize(("planned", "share"), [(0, 0.2), (100, 0.6), (1000, 0.5), (10_000, 0.2)])
    def test_until_it_has_warmed_up_the_unlabelled_patches_count_nothing(self, plan, batch, planned, share):
        host = fresh_host(self.name, plan)
        host.planned_steps = planned
        assert not depends_on_unlabelled(host, batch, share - 0.01)
        assert depends_on_unlabelled(host, batch, share + 0.01)


def depends_on_unlabelled(host, batch, fraction):
    def loss(unlabelled):
        torch.manual_seed(0)
        return copy.deepcopy(host).training_loss(replace(batch, unlabelled=unlabelled), fraction).total

    return not torch.equal(loss(batch.unlabelled), loss(batch.unlabelled + 1))
