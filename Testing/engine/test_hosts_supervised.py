"""Supervised training: labelled patches alone, and what is shown is the prediction of moving averages."""

import torch
from host_checks import HostChecks
from host_parts import CPU, LATE, fresh_host
from metassl.hosts.pasted import weighted_supervision
from metassl.inference.sliding_window import predict_pair
from metassl.project.images import IGNORE


class TestSupervised(HostChecks):
    name = "supervised"

    def test_unlabelled_patches_have_no_influence(self, plan, batch):
        for loss in ("plain", "metassl"):
            first = fresh_host(self.name, plan, loss).training_loss(batch, LATE).total
            batch.unlabelled = torch.full_like(batch.unlabelled, torch.nan)
            assert torch.equal(fresh_host(self.name, plan, loss).training_loss(batch, LATE).total, first)

    def test_plain_is_the_usual_loss_of_the_annotated_voxels(self, plan, batch):
        host = fresh_host(self.name, plan, "plain")
        batch.annotation[:, :4] = IGNORE
        log_softmax = host.networks[0](batch.labelled).log_softmax(1)
        known = batch.annotation != IGNORE
        expected = weighted_supervision(log_softmax, batch.annotation, known.float())
        torch.testing.assert_close(host.training_loss(batch, 0.0).total, expected)

    def test_with_metassl_a_suspect_annotation_counts_less(self, plan, batch):
        host = fresh_host(self.name, plan)
        with torch.no_grad():
            host.networks[0].output_block.conv.conv.bias.copy_(torch.tensor([9.0, 0.0, 0.0]))
        softmax = host.softmax(host.networks[0], batch.labelled)
        weight = host.weighting.labelled(0, softmax, batch.annotation)
        assert weight[batch.annotation > 0].mean() < weight[batch.annotation == 0].mean()

    def test_the_pair_is_two_averages_and_neither_is_the_network(self, plan):
        host = fresh_host(self.name, plan)
        start = host.networks[0].state_dict()
        start = {name: value.clone() for name, value in start.items()}
        with torch.no_grad():
            for parameter in host.networks[0].parameters():
                parameter.add_(1.0)
        host.after_step(10_000)
        for average, share in zip(host.inference_pair(), (0.01, 0.2), strict=True):
            for name, value in average.named_parameters():
                torch.testing.assert_close(value, start[name] + share)

    def test_what_is_shown_hardly_differs_from_the_average_alone(self, plan, batch, tmp_path):
        host = self.trained(tmp_path, plan, "plain", steps=20).host
        pair = tuple(network.eval() for network in host.inference_pair())
        both = predict_pair(pair, batch.labelled[0].numpy(), plan, CPU)
        alone, mean = both[0].argmax(0), both.mean(0).argmax(0)
        assert (alone == mean).mean() > 0.95
