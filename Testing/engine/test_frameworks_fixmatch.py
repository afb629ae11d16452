"""FixMatch: the confident labels of a weak view teach a strongly changed view."""

import pytest
import torch
from framework_checks import FrameworkChecks
from framework_parts import EARLY, LATE, cohort, fresh_framework, gradients
from metassl.frameworks import fixmatch
from metassl.frameworks.fixmatch import CONFIDENCE, pseudo_label_loss
from metassl.frameworks.views import strong_view
from metassl.method.metassl_loss import MetaSSLLoss
from metassl.method.supervised import supervised_loss

SHAPE = (1, 3, 4, 4, 4)


def logits_of(confidence: torch.Tensor) -> torch.Tensor:
    """(1, 3, z, y, x), class 1 with this softmax (z, y, x) and the others alike."""
    others = (1 - confidence) / 2
    return torch.stack([others, confidence, others])[None].log()


class TestFixMatch(FrameworkChecks):
    name = "fixmatch"

    def test_a_network_that_is_never_confident_learns_from_annotations_alone(self, plan, batch):
        framework = fresh_framework(self.name, plan, "plain")
        with torch.no_grad():
            framework.networks[0].output_block.conv.conv.weight.mul_(1e-2)
        found = gradients(framework, batch, LATE)
        framework.zero_grad()
        supervised_loss(framework.networks[0](batch.labelled), batch.annotation).backward()
        for name, parameter in framework.networks.named_parameters():
            torch.testing.assert_close(found[name], parameter.grad)

    @pytest.mark.parametrize("loss", ["plain", "metassl"])
    def test_the_weak_view_teaches_the_strong_one_but_not_where_it_is_cut_out(self, loss, plan, batch, monkeypatch):
        cut_out = torch.zeros(1, *plan.patch_zyx, dtype=torch.bool)
        cut_out[:, :8] = True
        monkeypatch.setattr(fixmatch, "strong_view", lambda images: (images / 2, cut_out))
        framework = fresh_framework(self.name, plan, loss)
        network = framework.networks[0]
        with torch.no_grad():
            network.output_block.conv.conv.bias.copy_(torch.tensor([2.0, 0.0, 0.0]))
        with_dropout = [float(framework.training_loss(batch, 1.0).total.detach()) for _ in range(2)]
        assert with_dropout[0] != with_dropout[1]
        monkeypatch.setattr(fixmatch, "DROPOUT", 0.0)
        framework.objective.load_state_dict(fresh_framework(self.name, plan).objective.state_dict())  # fresh thresholds
        labelled, weak, strong = (network(x) for x in (batch.labelled, batch.unlabelled, batch.unlabelled / 2))
        if loss == "plain":
            unlabelled = pseudo_label_loss(strong, weak, ~cut_out)
            expected = supervised_loss(labelled, batch.annotation) + unlabelled
            assert unlabelled > 0
        else:
            objective, first = MetaSSLLoss(plan.classes, framework="mt"), torch.cat([labelled, strong])
            expected = objective(first, weak, batch.annotation, 1, 10**9, unlabelled_valid=~cut_out).total
        torch.testing.assert_close(framework.training_loss(batch, 1.0).total, expected)

    def test_a_confident_one_learns_from_unlabelled_voxels_too(self, plan, batch):
        framework = fresh_framework(self.name, plan, "plain")
        with torch.no_grad():
            framework.networks[0].output_block.conv.conv.weight.mul_(1e-2)
            assert float(framework.training_loss(batch, EARLY).parts["unlabelled"]) == 0.0
            framework.networks[0].output_block.conv.conv.bias.copy_(torch.tensor([9.0, 0.0, 0.0]))
        assert float(framework.training_loss(batch, EARLY).parts["unlabelled"]) > 0.0


def test_no_gradient_below_the_confidence_threshold_nor_where_the_view_is_cut_out():
    confidence = torch.full(SHAPE[2:], CONFIDENCE - 0.01)
    confidence[:, :, 2:] = CONFIDENCE + 0.01
    valid = torch.ones(1, *SHAPE[2:], dtype=torch.bool)
    valid[:, 0] = False
    strong, weak = torch.zeros(SHAPE, requires_grad=True), logits_of(confidence).requires_grad_()
    pseudo_label_loss(strong, weak, valid).backward()
    learnt = strong.grad.abs().sum(1)[0] > 0
    assert torch.equal(learnt, (confidence > CONFIDENCE) & valid[0])
    assert weak.grad is None
    assert (strong.grad[0, 1][learnt] < 0).all(), "towards the weak view's label"


def test_the_loss_is_a_mean_over_all_valid_voxels():
    strong = torch.zeros(SHAPE)
    confidence = torch.full(SHAPE[2:], 0.5)
    confidence[0] = 0.99
    valid = torch.ones(1, *SHAPE[2:], dtype=torch.bool)
    loss = pseudo_label_loss(strong, logits_of(confidence), valid)
    torch.testing.assert_close(loss, torch.log(torch.tensor(3.0)) / 4)


def test_a_strong_view_changes_intensities_but_no_place():
    images = torch.from_numpy(cohort(2)[1].image).float()[None].repeat(2, 1, 1, 1, 1)
    for seed in range(8):
        torch.manual_seed(seed)
        views, cut_out = strong_view(images)
        assert views.shape == images.shape and torch.isfinite(views).all()
        assert not torch.equal(views[0], views[1]), "each image has changes of its own"
        share = float(cut_out.float().mean())
        assert 0.02 < share < 0.12
        for image, view, hole in zip(images[:, 0], views[:, 0], cut_out, strict=True):
            assert view[hole].std() < 1e-6
            assert torch.corrcoef(torch.stack([image[~hole], view[~hole]]))[0, 1] > 0.3
    torch.manual_seed(7)
    assert torch.equal(strong_view(images)[0], views)
