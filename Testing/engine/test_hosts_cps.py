"""Cross Pseudo Supervision: two networks teach each other."""

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
