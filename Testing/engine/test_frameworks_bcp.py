"""Bidirectional Copy-Paste: labelled and unlabelled patches pasted into each other, both ways."""

import pytest
import torch
from framework_checks import FrameworkChecks
from framework_parts import EARLY, LATE, fresh_framework, sampler
from metassl.frameworks.bcp import keep_largest, largest_components, paste_labelled
from metassl.frameworks.pasted import BOX_SHARE, Pasted, weighted_supervision
from metassl.frameworks.weighting import RegionWeighting


class TestBidirectionalCopyPaste(FrameworkChecks):
    name = "bcp"

    def test_the_student_sees_both_ways_and_the_teacher_the_clean_patch(self, plan, batch):
        framework, seen = fresh_framework(self.name, plan), {"student": [], "teacher": []}
        for name, network in (("student", framework.networks[0]), ("teacher", framework.averages[0])):
            network.register_forward_pre_hook(lambda _, inputs, name=name: seen[name].append(inputs[0]))
        framework.training_loss(batch, LATE)
        (student,), (teacher,) = seen["student"], seen["teacher"]
        assert torch.equal(teacher, batch.unlabelled)
        for image in student:
            assert (image == batch.labelled[0]).any() and (image == batch.unlabelled[0]).any()
            assert ((image == batch.labelled[0]) | (image == batch.unlabelled[0])).all()
        seen["student"].clear()
        framework.training_loss(batch, EARLY)
        assert torch.equal(seen["student"][0], batch.labelled), "labelled patches only, at first"

    @pytest.mark.parametrize("loss", ["plain", "metassl"])
    def test_every_voxel_counts_as_the_loss_says(self, loss, plan, batch):
        framework = fresh_framework(self.name, plan, loss)
        torch.manual_seed(3)
        found = framework.training_loss(batch, LATE).total
        torch.manual_seed(3)
        both = Pasted.both_ways(batch)
        predicted = [framework.networks[0](pasted.images).log_softmax(1) for pasted in both]
        raw = framework.averages[0](batch.unlabelled).softmax(1)
        pseudo = largest_components(raw.argmax(1), plan.classes)
        assert not torch.equal(pseudo, raw.argmax(1))
        trust = uncertainty = torch.ones(pseudo.shape)
        if loss == "metassl":
            student = {known: torch.zeros(raw.shape) for known in (True, False)}
            for pasted, log_softmax in zip(both, predicted, strict=True):
                for known, whole in student.items():
                    whole += log_softmax.detach().exp() * (pasted.from_label == known)[:, None]
            weighting = RegionWeighting(plan.classes)
            uncertainty = weighting.unlabelled([student[False], keep_largest(raw)])[0][1][1]
            trust = weighting.labelled(0, student[True], batch.annotation)
            assert len(uncertainty.unique()) > 2 and len(trust.unique()) > 2
        expected = 0
        for pasted, log_softmax in zip(both, predicted, strict=True):
            known = pasted.from_label
            expected += weighted_supervision(log_softmax, batch.annotation, trust * known)
            expected += 0.5 * weighted_supervision(log_softmax, pseudo, uncertainty * ~known)
        torch.testing.assert_close(found, expected)


def test_pasted_patches_hold_both_sources_and_together_every_voxel_once(tiny_plan):
    batch = sampler(tiny_plan(batch=(2, 2))).batch(0)
    inward, outward = Pasted.both_ways(batch)
    box = inward.from_label
    assert torch.equal(outward.from_label, ~box)
    side = int(16 * BOX_SHARE)
    assert box.flatten(1).sum(1).tolist() == [side**3] * 2
    for number in range(2):
        inside = box[number]
        for image, within, around in (
            (inward.images, batch.labelled, batch.unlabelled),
            (outward.images, batch.unlabelled, batch.labelled),
        ):
            assert torch.equal(image[number, 0][inside], within[number, 0][inside])
            assert torch.equal(image[number, 0][~inside], around[number, 0][~inside])


def test_targets_are_pasted_like_the_images(tiny_plan):
    batch = sampler(tiny_plan()).batch(0)
    pseudo = torch.full_like(batch.annotation, 7)
    for pasted in Pasted.both_ways(batch):
        target = pasted.join(batch.annotation, pseudo)
        assert torch.equal(target == 7, ~pasted.from_label)
        assert torch.equal(target[pasted.from_label], batch.annotation[pasted.from_label])


def test_at_first_labelled_patches_are_pasted_into_each_other(tiny_plan):
    batch = sampler(tiny_plan(batch=(2, 2))).batch(0)
    pasted = paste_labelled(batch)
    from_next = pasted.labelled[0, 0] != batch.labelled[0, 0]
    assert from_next.any() and not from_next.all()
    assert torch.equal(pasted.labelled[0, 0][from_next], batch.labelled[1, 0][from_next])
    assert torch.equal(pasted.annotation[0][from_next], batch.annotation[1][from_next])


def test_a_pseudo_label_keeps_the_largest_component_of_each_class():
    labels = torch.zeros(2, 6, 6, 6, dtype=torch.int64)
    labels[0, :2, :2, :2] = 1
    labels[0, 4, 4, 4] = 1
    labels[0, 2, 2, 2] = 1  # touches the first with a corner
    labels[0, :1, 4:, :] = 2
    labels[1, 5, 5, 5] = 2
    kept = largest_components(labels, 3)
    expected = labels.clone()
    expected[0, 4, 4, 4] = 0
    assert torch.equal(kept, expected) and kept.dtype == torch.int64


def test_a_removed_component_is_background_that_nobody_is_sure_of():
    labels = torch.zeros(1, 4, 4, 4, dtype=torch.int64)
    labels[0, :2] = 1
    labels[0, 3, 3, 3] = 1
    softmax = torch.where(labels[:, None] == torch.arange(2)[:, None, None, None], 0.9, 0.1)
    kept = keep_largest(softmax)
    assert kept[0, :, 3, 3, 3].tolist() == pytest.approx([0.1, 0.0])
    kept[0, :, 3, 3, 3] = softmax[0, :, 3, 3, 3]
    assert torch.equal(kept, softmax), "nothing else changes"
