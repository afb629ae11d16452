"""Encoder, decoder and the fixed dropout passes that a single network shows as its pair."""

import torch
from framework_parts import sampler
from metassl.frameworks.decoder import DROPOUT, decode, encode, load_thinned_pair, thinned_pair
from metassl.networks.unet import build_network


def network_of(plan):
    torch.manual_seed(0)
    return build_network(plan)


def test_encoder_and_decoder_together_are_the_network(tiny_plan):
    plan = tiny_plan()
    network, images = network_of(plan), sampler(plan).batch(0).unlabelled
    torch.testing.assert_close(decode(network, encode(network, images)), network(images))


def test_dropout_changes_the_prediction_and_is_drawn_anew_each_time(tiny_plan):
    plan = tiny_plan()
    network, images = network_of(plan), sampler(plan).batch(0).unlabelled
    features = encode(network, images)
    passes = [decode(network, features, DROPOUT) for _ in range(2)]
    assert not torch.allclose(*passes)
    assert not torch.allclose(passes[0], network(images))


def test_a_thinned_network_is_the_network_without_some_channels(tiny_plan):
    plan = tiny_plan(filters=(4, 6, 10))
    network, images = network_of(plan), sampler(plan).batch(0).unlabelled
    for thin in thinned_pair(network, plan):
        *skips, out = encode(network, images)
        for stage, other, skip in zip(network.upsamples, thin.upsamples, reversed(skips), strict=True):
            scale = (other.transp_conv.conv.weight / stage.transp_conv.conv.weight).mean((1, 2, 3, 4))
            assert (scale == 0).sum() == round(DROPOUT * len(scale))
            torch.testing.assert_close(scale.mean(), torch.tensor(1.0))
            out = stage(out * scale[None, :, None, None, None], skip)
        torch.testing.assert_close(thin(images), network.output_block(out), rtol=1e-4, atol=1e-4)


def test_the_pair_is_always_the_same_and_no_channel_is_missing_in_both(tiny_plan):
    plan = tiny_plan()
    network = network_of(plan)
    first, second = thinned_pair(network, plan)
    torch.manual_seed(9)
    again, _ = thinned_pair(network, plan)
    for one, two, three in zip(first.parameters(), again.parameters(), network.parameters(), strict=True):
        assert torch.equal(one, two) and not one.requires_grad and three.requires_grad
    for a, b in zip(first.upsamples, second.upsamples, strict=True):
        weights = [stage.transp_conv.conv.weight.flatten(1).abs().sum(1) for stage in (a, b)]
        assert (weights[0] + weights[1] > 0).all() and not torch.equal(*weights)


def test_the_whole_network_comes_back_from_its_pair(tiny_plan):
    plan = tiny_plan()
    network, other = network_of(plan), build_network(plan)
    load_thinned_pair(other, thinned_pair(network, plan))
    for one, two in zip(network.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one, two)
