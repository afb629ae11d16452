"""R-Drop: two dropout passes of one network agree with each other."""

import pytest
import torch
from framework_checks import FrameworkChecks
from framework_parts import LATE, fresh_framework, gradients
from metassl.frameworks import rdrop
from metassl.frameworks.rdrop import symmetric_divergence
from metassl.method.metassl_loss import MetaSSLLoss
from metassl.method.supervised import supervised_loss


class TestRDrop(FrameworkChecks):
    name = "rdrop"

    def test_the_two_passes_differ_by_their_dropout_alone(self, plan, batch, monkeypatch):
        framework = fresh_framework(self.name, plan)
        first, second = framework.two_passes(batch.unlabelled)
        assert first.shape == second.shape and not torch.allclose(first, second)
        monkeypatch.setattr(rdrop, "DROPOUT", 0.0)
        first, second = framework.two_passes(batch.unlabelled)
        assert torch.equal(first, second)
        torch.testing.assert_close(first, framework.networks[0](batch.unlabelled))

    def test_unlabelled_voxels_teach_that_the_passes_agree(self, plan, batch, monkeypatch):
        framework = fresh_framework(self.name, plan, "plain")
        assert float(framework.training_loss(batch, LATE).parts["unlabelled"]) > 0
        before = gradients(framework, batch, LATE)
        batch.unlabelled = batch.unlabelled.flip(2)
        after = gradients(framework, batch, LATE)
        assert any(not torch.equal(before[name], after[name]) for name in before)
        monkeypatch.setattr(rdrop, "DROPOUT", 0.0)
        assert float(framework.training_loss(batch, LATE).parts["unlabelled"]) == 0

    @pytest.mark.parametrize("loss", ["plain", "metassl"])
    def test_both_passes_learn_from_annotations_and_from_each_other(self, loss, plan, batch):
        framework = fresh_framework(self.name, plan, loss)
        torch.manual_seed(3)
        found = framework.training_loss(batch, 1.0).total
        torch.manual_seed(3)
        passes = framework.two_passes(torch.cat([batch.labelled, batch.unlabelled]))
        if loss == "plain":
            expected = sum(supervised_loss(z[:1], batch.annotation) for z in passes)
            expected = expected + symmetric_divergence(*(z.log_softmax(1) for z in passes))
        else:
            expected = MetaSSLLoss(plan.classes, framework="cps")(*passes, batch.annotation, 1, 10**9).total
        torch.testing.assert_close(found, expected)

    def test_the_pair_of_passes_differs(self, plan, batch):
        first, second = fresh_framework(self.name, plan).inference_pair()
        assert not torch.allclose(first(batch.unlabelled), second(batch.unlabelled))


def test_the_divergence_is_symmetric_and_that_of_kullback_and_leibler():
    torch.manual_seed(0)
    first, second = (torch.randn(2, 3, 4, 4, 4).log_softmax(1) for _ in range(2))
    found = symmetric_divergence(first, second)
    torch.testing.assert_close(found, symmetric_divergence(second, first))
    both = [
        torch.nn.functional.kl_div(a, b, reduction="sum", log_target=True)
        for a, b in ((first, second), (second, first))
    ]
    torch.testing.assert_close(found, sum(both) / 2 / (2 * 4**3))
    assert symmetric_divergence(first, first) == 0


def test_both_passes_get_a_gradient_from_the_divergence():
    logits = [torch.randn(1, 3, 2, 2, 2, requires_grad=True) for _ in range(2)]
    symmetric_divergence(*(z.log_softmax(1) for z in logits)).backward()
    assert all(z.grad.abs().sum() > 0 for z in logits)
