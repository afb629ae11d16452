"""UA-MT: Mean Teacher, only where the teacher's noisy passes are certain."""

import math

import pytest
import torch
from framework_checks import FrameworkChecks
from framework_parts import LATE, fresh_framework
from metassl.frameworks.uamt import UncertaintyAwareMeanTeacher, is_certain
from metassl.method.metassl_loss import MetaSSLLoss

PASSES = UncertaintyAwareMeanTeacher.passes


class TestUncertaintyAwareMeanTeacher(FrameworkChecks):
    name = "uamt"

    @pytest.fixture(autouse=True)
    def few_passes(self, monkeypatch):
        monkeypatch.setattr(UncertaintyAwareMeanTeacher, "passes", 2)

    def test_uncertain_voxels_are_masked(self, plan, batch, monkeypatch):
        framework = fresh_framework(self.name, plan, "plain")
        mean = torch.full((1, plan.classes, *plan.patch_zyx), 0.005)
        mean[:, 0] = 0.99
        mean[:, :, :8] = 1 / plan.classes

        def unlabelled_loss(first: torch.Tensor) -> float:
            monkeypatch.setattr(framework, "teacher_passes", lambda images: (first, mean))
            torch.manual_seed(0)
            return float(framework.training_loss(batch, LATE).parts["unlabelled"])

        first = mean.clone()
        reference = unlabelled_loss(first)
        first[:, 1, :8] = 1.0
        assert unlabelled_loss(first) == reference > 0
        first[:, 1, 8:] = 1.0
        assert unlabelled_loss(first) != reference
        mean[:] = 1 / plan.classes
        assert unlabelled_loss(first) == 0.0

    def test_with_metassl_the_mean_of_the_passes_is_the_reference(self, plan, batch, monkeypatch):
        framework = fresh_framework(self.name, plan)
        first, mean = torch.rand(2, 1, plan.classes, *plan.patch_zyx).softmax(2)
        monkeypatch.setattr(framework, "teacher_passes", lambda images: (first, mean))
        torch.manual_seed(3)
        found = framework.training_loss(batch, 1.0).total
        torch.manual_seed(3)
        student = framework.dropout_pass(framework.networks[0], torch.cat([batch.labelled, batch.unlabelled]))
        objective = MetaSSLLoss(plan.classes, framework="mt")
        torch.testing.assert_close(found, objective(student, mean.log(), batch.annotation, 1, 10**9).total)

    def test_the_weight_of_the_consistency_rises_to_a_tenth(self, plan, batch):
        framework = fresh_framework(self.name, plan, "plain")
        for fraction, weight in ((0.0, 0.1 * math.exp(-5)), (0.5, 0.1 * math.exp(-1.25)), (1.0, 0.1)):
            parts = framework.training_loss(batch, fraction).parts
            assert float(parts["unlabelled"]) > 0
            torch.testing.assert_close(parts["total"], parts["supervised"] + weight * parts["unlabelled"])

    def test_the_passes_differ_and_are_averaged(self, plan, batch, monkeypatch):
        monkeypatch.setattr(UncertaintyAwareMeanTeacher, "passes", 3)
        framework, seen = fresh_framework(self.name, plan), []
        monkeypatch.setattr(framework, "dropout_pass", lambda *args: seen.append(args) or real_pass(*args))
        outputs = []

        def real_pass(network, images):
            outputs.append(UncertaintyAwareMeanTeacher.dropout_pass(framework, network, images))
            return outputs[-1]

        first, mean = framework.teacher_passes(batch.unlabelled)
        assert len(seen) == 3 and not torch.equal(seen[0][1], seen[1][1])
        assert all(network is framework.averages[0] for network, _ in seen)
        softmaxes = [output.softmax(1) for output in outputs]
        torch.testing.assert_close(first, softmaxes[0])
        torch.testing.assert_close(mean, torch.stack(softmaxes).mean(0).clamp_min(1e-6))
        assert not first.requires_grad and not mean.requires_grad


def test_there_are_eight_passes_as_in_the_paper():
    assert PASSES == 8


def test_the_threshold_rises_from_three_quarters_of_the_maximum_to_all_of_it():
    share = torch.linspace(0.34, 0.999, 400)
    mean = torch.stack([share, (1 - share) / 2, (1 - share) / 2])[None, :, None, None]
    entropy = -(mean * mean.log()).sum(1)
    assert torch.equal(is_certain(mean, 0.0), entropy < (0.75 + 0.25 * math.exp(-5)) * math.log(3))
    assert is_certain(mean, 1.0).all() and not is_certain(mean, 0.5).all()
