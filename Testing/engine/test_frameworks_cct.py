"""Cross-Consistency Training: a second decoder agrees with the first in spite of perturbed features."""

import pytest
import torch
from framework_checks import FrameworkChecks
from framework_parts import LATE, fresh_framework, gradients
from metassl.frameworks.cct import PERTURBATIONS, draw_perturbation, feature_drop, feature_noise
from metassl.frameworks.decoder import decode, encode, encoder_stages
from metassl.method.metassl_loss import MetaSSLLoss
from metassl.method.supervised import supervised_loss


class TestCrossConsistency(FrameworkChecks):
    name = "cct"

    def test_the_encoder_is_one_and_stays_one(self, plan, tmp_path):
        framework = self.trained(tmp_path, plan, "metassl", steps=3).framework
        main, auxiliary = framework.networks
        own = [p for stage in encoder_stages(main) for p in stage.parameters()]
        other = [p for stage in encoder_stages(auxiliary) for p in stage.parameters()]
        assert own and all(a is b for a, b in zip(own, other, strict=True))
        assert len(list(framework.trained_parameters())) == 2 * len(list(main.parameters())) - len(own)
        decoders = [network.upsamples[0].transp_conv.conv.weight for network in framework.networks]
        assert not torch.equal(*decoders)

    @pytest.mark.parametrize("loss", ["plain", "metassl"])
    def test_the_main_decoder_learns_from_annotations_alone(self, loss, plan, batch):
        framework = fresh_framework(self.name, plan, loss)
        found = gradients(framework, batch, LATE)
        framework.zero_grad()
        first = framework.networks[0](batch.labelled)
        if loss == "plain":
            supervised_loss(first, batch.annotation).backward()
        else:
            labelled_half(plan, first, batch.annotation, framework.objective.preset.consistency).backward()
        for name, parameter in framework.networks[0].named_parameters():
            decodes = name.startswith(("upsamples", "output_block"))
            same = torch.allclose(found[f"0.{name}"], parameter.grad, rtol=1e-4, atol=1e-6)
            assert same == decodes, name

    @pytest.mark.parametrize("loss", ["plain", "metassl"])
    def test_the_decoders_learn_as_the_loss_says(self, loss, plan, batch, monkeypatch):
        monkeypatch.setattr("metassl.frameworks.cct.draw_perturbation", lambda: lambda features: features / 2)
        framework = fresh_framework(self.name, plan, loss)
        main, auxiliary = framework.networks
        images = torch.cat([batch.labelled, batch.unlabelled])
        first, second = main(images), decode(auxiliary, [features / 2 for features in encode(main, images)])
        if loss == "plain":
            expected = supervised_loss(first[:1], batch.annotation)
            expected = expected + 30 * torch.nn.functional.mse_loss(second[1:].softmax(1), first[1:].softmax(1))
            fractions = (0.1, 1.0)
        else:
            learning = torch.cat([first[:1], second[1:]])
            expected = MetaSSLLoss(plan.classes)(learning, first[1:], batch.annotation, 1, 10**9).total
            fractions = (1.0,)
        for fraction in fractions:
            torch.testing.assert_close(framework.training_loss(batch, fraction).total, expected)

    def test_the_auxiliary_decoder_sees_perturbed_features_only_while_training(self, plan, batch, monkeypatch):
        framework, drawn = fresh_framework(self.name, plan, "plain"), []
        monkeypatch.setattr("metassl.frameworks.cct.draw_perturbation", lambda: lambda f: drawn.append(len(f)) or f * 0)
        framework.training_loss(batch, LATE)
        assert drawn == [len(batch.unlabelled)] * len(plan.filters), "every level, unlabelled patches only"
        pair = framework.inference_pair()
        assert not torch.equal(pair[0](batch.unlabelled), pair[1](batch.unlabelled)) and len(drawn) == 3


def labelled_half(plan, logits, annotation, consistency):
    """S + lambda L of labelled voxels; what the unlabelled ones add has no gradient."""
    fixed = logits.detach()
    both = torch.cat([logits, fixed])
    return MetaSSLLoss(plan.classes)(both, fixed, annotation, len(logits), 0, consistency=consistency).total


@pytest.mark.parametrize("perturb", PERTURBATIONS)
def test_a_perturbation_changes_features_and_keeps_their_shape(perturb):
    features = torch.rand(2, 6, 8, 8, 8) + 0.1
    before = features.clone()
    torch.manual_seed(0)
    changed = perturb(features)
    assert changed.shape == features.shape and not torch.equal(changed, features)
    assert torch.equal(features, before)


def test_noise_scales_each_activation_a_little():
    features = torch.rand(2, 6, 8, 8, 8) + 0.1
    ratio = feature_noise(features) / features
    assert 0.699 <= float(ratio.min()) < 0.75 and 1.25 < float(ratio.max()) <= 1.301
    torch.testing.assert_close(ratio[0], ratio[1])


def test_the_most_active_places_are_dropped():
    features = torch.rand(2, 6, 8, 8, 8)
    limits = []
    for seed in range(40):
        torch.manual_seed(seed)
        for activation, changed in zip(features.mean(1), feature_drop(features), strict=True):
            gone = (changed == 0).all(0)
            assert gone.any() and not gone.all() and activation[gone].min() >= activation[~gone].max()
            limits.append(float(activation[~gone].max() / activation.max()))
    assert 0.58 < min(limits) < 0.65 and 0.8 < max(limits) <= 0.9


def test_every_perturbation_is_drawn():
    torch.manual_seed(0)
    assert {draw_perturbation() for _ in range(40)} == set(PERTURBATIONS)
