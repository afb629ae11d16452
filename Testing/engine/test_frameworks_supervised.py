"""Supervised training: labelled patches alone, and what is shown is the prediction of moving averages."""

import torch
from framework_checks import FrameworkChecks
from framework_parts import CPU, LATE, fresh_framework
from metassl.frameworks.pasted import weighted_supervision
from metassl.imaging.images import IGNORE
from metassl.inference.sliding_window import predict_pair


class TestSupervised(FrameworkChecks):
    name = "supervised"

    def test_unlabelled_patches_have_no_influence(self, plan, batch):
        for loss in ("plain", "metassl"):
            first = fresh_framework(self.name, plan, loss).training_loss(batch, LATE).total
            batch.unlabelled = torch.full_like(batch.unlabelled, torch.nan)
            assert torch.equal(fresh_framework(self.name, plan, loss).training_loss(batch, LATE).total, first)

    def test_plain_is_the_usual_loss_of_the_annotated_voxels(self, plan, batch):
        framework = fresh_framework(self.name, plan, "plain")
        batch.annotation[:, :4] = IGNORE
        log_softmax = framework.networks[0](batch.labelled).log_softmax(1)
        known = batch.annotation != IGNORE
        expected = weighted_supervision(log_softmax, batch.annotation, known.float())
        torch.testing.assert_close(framework.training_loss(batch, 0.0).total, expected)

    def test_with_metassl_a_suspect_annotation_counts_less(self, plan, batch):
        framework = fresh_framework(self.name, plan)
        with torch.no_grad():
            framework.networks[0].output_block.conv.conv.bias.copy_(torch.tensor([9.0, 0.0, 0.0]))
        softmax = framework.softmax(framework.networks[0], batch.labelled)
        weight = framework.weighting.labelled(0, softmax, batch.annotation)
        assert weight[batch.annotation > 0].mean() < weight[batch.annotation == 0].mean()

    def test_the_pair_is_two_averages_and_neither_is_the_network(self, plan):
        framework = fresh_framework(self.name, plan)
        start = framework.networks[0].state_dict()
        start = {name: value.clone() for name, value in start.items()}
        with torch.no_grad():
            for parameter in framework.networks[0].parameters():
                parameter.add_(1.0)
        framework.after_step(10_000)
        for average, share in zip(framework.inference_pair(), (0.01, 0.2), strict=True):
            for name, value in average.named_parameters():
                torch.testing.assert_close(value, start[name] + share)

    def test_what_is_shown_hardly_differs_from_the_average_alone(self, plan, batch, tmp_path):
        framework = self.trained(tmp_path, plan, "plain", steps=20).framework
        pair = tuple(network.eval() for network in framework.inference_pair())
        both = predict_pair(pair, batch.labelled[0].numpy(), plan, CPU)
        alone, mean = both[0].argmax(0), both.mean(0).argmax(0)
        assert (alone == mean).mean() > 0.95
