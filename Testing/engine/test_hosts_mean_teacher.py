"""Mean Teacher: a student learns to agree with its own moving average."""

import math

import torch
from host_checks import HostChecks
from host_parts import LATE, fresh_host
from metassl.hosts import mean_teacher
from metassl.hosts.mean_teacher import NOISE_LIMIT, noisy
from metassl.method import MetaSSLLoss


class TestMeanTeacher(HostChecks):
    name = "mt"

    def test_the_plain_teacher_sees_noise_and_the_metassl_teacher_the_clean_patch(self, plan, batch):
        for loss, clean in (("plain", False), ("metassl", True)):
            host, seen = fresh_host(self.name, plan, loss), []
            host.averages[0].register_forward_pre_hook(lambda _, inputs, seen=seen: seen.append(inputs[0]))
            host.training_loss(batch, LATE)
            assert len(seen) == 1 and torch.equal(seen[0], batch.unlabelled) == clean
            assert (seen[0] - batch.unlabelled).abs().max() <= NOISE_LIMIT + 1e-6

    def test_nothing_is_to_learn_where_student_and_teacher_agree(self, plan, batch, monkeypatch):
        host = fresh_host(self.name, plan, "plain")
        assert float(host.training_loss(batch, LATE).parts["unlabelled"]) > 0, "the noise makes a difference"
        monkeypatch.setattr(mean_teacher, "noisy", lambda images: images)
        assert float(host.training_loss(batch, LATE).parts["unlabelled"]) < 1e-12

    def test_the_weight_of_the_consistency_rises_and_stays(self, plan, batch):
        host = fresh_host(self.name, plan, "plain")
        for fraction, weight in ((0.0, 10 * math.exp(-5)), (0.4, 10.0), (1.0, 10.0)):
            parts = host.training_loss(batch, fraction).parts
            torch.testing.assert_close(parts["total"], parts["supervised"] + weight * parts["unlabelled"])

    def test_metassl_is_the_objective_of_the_method(self, plan, batch):
        host = fresh_host(self.name, plan)
        for average in host.averages.parameters():
            average.mul_(1.1)
        found = host.training_loss(batch, 1.0).total
        student = host.networks[0](torch.cat([batch.labelled, batch.unlabelled]))
        objective = MetaSSLLoss(plan.classes, "metassl", host="mt")
        expected = objective(student, host.averages[0](batch.unlabelled), batch.annotation, 1, 10**9)
        torch.testing.assert_close(found, expected.total)

    def test_the_teacher_follows_the_student_slowly(self, plan):
        host = fresh_host(self.name, plan)
        start = [p.clone() for p in host.averages.parameters()]
        with torch.no_grad():
            for parameter in host.networks.parameters():
                parameter.add_(1.0)
        host.after_step(10_000)
        for before, after in zip(start, host.averages.parameters(), strict=True):
            torch.testing.assert_close(after, before + 0.01)

    def test_in_a_short_training_the_teacher_follows_faster(self, plan):
        host = fresh_host(self.name, plan)
        start = [p.clone() for p in host.averages.parameters()]
        with torch.no_grad():
            for parameter in host.networks.parameters():
                parameter.add_(1.0)
        host.planned_steps = 200
        host.after_step(150)  # its memory: a twentieth of them
        for before, after in zip(start, host.averages.parameters(), strict=True):
            torch.testing.assert_close(after, before + 0.1)


def test_noise_is_bounded_and_drawn_anew():
    images = torch.zeros(1, 1, 8, 8, 8)
    one, two = noisy(images), noisy(images)
    assert not torch.equal(one, two) and not images.any()
    assert one.abs().max() <= NOISE_LIMIT and 0.07 < float(one.std()) < 0.13
