"""Mean Teacher: a student learns to agree with its own moving average."""

import math

import torch
from framework_checks import FrameworkChecks
from framework_parts import LATE, fresh_framework
from metassl.frameworks import mean_teacher
from metassl.frameworks.mean_teacher import NOISE_LIMIT, noisy
from metassl.method.metassl_loss import MetaSSLLoss


class TestMeanTeacher(FrameworkChecks):
    name = "mt"

    def test_the_plain_teacher_sees_noise_and_the_metassl_teacher_the_clean_patch(self, plan, batch):
        for loss, clean in (("plain", False), ("metassl", True)):
            framework, seen = fresh_framework(self.name, plan, loss), []
            framework.averages[0].register_forward_pre_hook(lambda _, inputs, seen=seen: seen.append(inputs[0]))
            framework.training_loss(batch, LATE)
            assert len(seen) == 1 and torch.equal(seen[0], batch.unlabelled) == clean
            assert (seen[0] - batch.unlabelled).abs().max() <= NOISE_LIMIT + 1e-6

    def test_nothing_is_to_learn_where_student_and_teacher_agree(self, plan, batch, monkeypatch):
        framework = fresh_framework(self.name, plan, "plain")
        assert float(framework.training_loss(batch, LATE).parts["unlabelled"]) > 0, "the noise makes a difference"
        monkeypatch.setattr(mean_teacher, "noisy", lambda images: images)
        assert float(framework.training_loss(batch, LATE).parts["unlabelled"]) < 1e-12

    def test_the_weight_of_the_consistency_rises_and_stays(self, plan, batch):
        framework = fresh_framework(self.name, plan, "plain")
        for fraction, weight in ((0.0, 10 * math.exp(-5)), (0.4, 10.0), (1.0, 10.0)):
            parts = framework.training_loss(batch, fraction).parts
            torch.testing.assert_close(parts["total"], parts["supervised"] + weight * parts["unlabelled"])

    def test_metassl_is_the_objective_of_the_method(self, plan, batch):
        framework = fresh_framework(self.name, plan)
        for average in framework.averages.parameters():
            average.mul_(1.1)
        found = framework.training_loss(batch, 1.0).total
        student = framework.networks[0](torch.cat([batch.labelled, batch.unlabelled]))
        objective = MetaSSLLoss(plan.classes, "metassl", framework="mt")
        expected = objective(student, framework.averages[0](batch.unlabelled), batch.annotation, 1, 10**9)
        torch.testing.assert_close(found, expected.total)

    def test_the_teacher_follows_the_student_slowly(self, plan):
        framework = fresh_framework(self.name, plan)
        start = [p.clone() for p in framework.averages.parameters()]
        with torch.no_grad():
            for parameter in framework.networks.parameters():
                parameter.add_(1.0)
        framework.after_step(10_000)
        for before, after in zip(start, framework.averages.parameters(), strict=True):
            torch.testing.assert_close(after, before + 0.01)

    def test_in_a_short_training_the_teacher_follows_faster(self, plan):
        framework = fresh_framework(self.name, plan)
        start = [p.clone() for p in framework.averages.parameters()]
        with torch.no_grad():
            for parameter in framework.networks.parameters():
                parameter.add_(1.0)
        framework.planned_steps = 200
        framework.after_step(150)  # its memory: a twentieth of them
        for before, after in zip(start, framework.averages.parameters(), strict=True):
            torch.testing.assert_close(after, before + 0.1)


def test_noise_is_bounded_and_drawn_anew():
    images = torch.zeros(1, 1, 8, 8, 8)
    one, two = noisy(images), noisy(images)
    assert not torch.equal(one, two) and not images.any()
    assert one.abs().max() <= NOISE_LIMIT and 0.07 < float(one.std()) < 0.13
