"""Cross Pseudo Supervision: two networks teach each other."""

import copy
from dataclasses import replace

import pytest
import torch
from framework_checks import FrameworkChecks
from framework_parts import LATE, fresh_framework, gradients
from metassl.imaging.images import IGNORE


class TestCrossPseudoSupervision(FrameworkChecks):
    name = "cps"

    def test_each_network_learns_from_the_other_ones_average(self, plan, batch):
        framework = fresh_framework(self.name, plan, "uniform")
        before = gradients(framework, batch, LATE)
        with torch.no_grad():
            framework.averages[1].output_block.conv.conv.bias.add_(torch.tensor([0.0, 9.0, 0.0]))
        after = gradients(framework, batch, LATE)
        changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
        assert changed == {"0"}

    def test_with_the_plain_loss_each_learns_from_the_other_network_on_all_patches_from_the_first_step(
        self, plan, batch
    ):
        framework = fresh_framework(self.name, plan, "plain")
        assert depends_on_unlabelled(framework, batch, 0.0) and framework.cost(0.0) == 1
        before = gradients(framework, batch, LATE)
        with torch.no_grad():
            for average in framework.averages:
                average.output_block.conv.conv.bias.add_(torch.tensor([0.0, 9.0, 0.0]))
        after = gradients(framework, batch, LATE)
        assert all(torch.equal(before[name], after[name]) for name in before), "the averages teach nothing"
        unknown = replace(batch, annotation=torch.full_like(batch.annotation, IGNORE))
        here, changed = (
            gradients(framework, replace(unknown, labelled=unknown.labelled + by), LATE)[
                "0.output_block.conv.conv.bias"
            ]
            for by in (0, 1)
        )
        assert not torch.equal(here, changed), "labelled patches are crossed, too"

    def test_the_two_networks_see_different_patches(self, plan, batch):
        framework, seen = fresh_framework(self.name, plan), []
        for network in framework.networks:
            network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        framework.training_loss(batch, LATE)
        assert len(seen) == 2 and not torch.equal(*seen)

    @pytest.mark.parametrize(("planned", "share"), [(0, 0.2), (100, 0.6), (1000, 0.5), (10_000, 0.2)])
    def test_until_it_has_warmed_up_the_unlabelled_patches_count_nothing(self, plan, batch, planned, share):
        framework = fresh_framework(self.name, plan)
        framework.planned_steps = planned
        assert not depends_on_unlabelled(framework, batch, share - 0.01)
        assert depends_on_unlabelled(framework, batch, share + 0.01)

    def test_networks_from_elsewhere_teach_each_other_from_the_first_step(self, plan, batch):
        framework, model = fresh_framework(self.name, plan), fresh_framework(self.name, plan)
        framework.begin_with(tuple(model.networks))
        framework.planned_steps, framework.taught = 100, True
        assert depends_on_unlabelled(framework, batch, 0.0) and framework.cost(0.0) == 1


def depends_on_unlabelled(framework, batch, fraction):
    def loss(unlabelled):
        torch.manual_seed(0)
        return copy.deepcopy(framework).training_loss(replace(batch, unlabelled=unlabelled), fraction).total

    return not torch.equal(loss(batch.unlabelled), loss(batch.unlabelled + 1))
