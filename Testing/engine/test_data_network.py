"""The networks of a plan: the full one and the light one."""

from dataclasses import replace

import pytest
import torch
from metassl.data.network import FULL, LIGHT, LightNetwork, build_network, size_of
from metassl.training.memory import use_gradient_checkpointing

LEVELS = 4


@pytest.fixture
def plan(tiny_plan):
    return replace(
        tiny_plan(),
        patch_zyx=(16, 24, 16),
        filters=(4, 8, 8, 8),
        kernels=((3, 3, 3),) * LEVELS,
        strides=((1, 1, 1),) + ((2, 2, 2),) * (LEVELS - 1),
    )


@pytest.mark.parametrize("size", [FULL, LIGHT])
def test_both_sizes_give_logits_of_every_class_on_the_grid_of_the_image(plan, size):
    network = build_network(plan, size)
    logits = network(torch.zeros(2, plan.in_channels, *plan.patch_zyx))
    assert logits.shape == (2, plan.classes, *plan.patch_zyx)
    assert size_of(network) == size


def test_the_light_network_has_no_layer_of_full_resolution_but_its_ends(plan):
    network, seen = build_network(plan, LIGHT), []
    for module in network.unet.modules():
        if isinstance(module, torch.nn.Conv3d):
            module.register_forward_hook(lambda _m, _i, output: seen.append(tuple(output.shape[2:])))
    network(torch.zeros(1, plan.in_channels, *plan.patch_zyx))
    assert max(seen) == tuple(length // 2 for length in plan.patch_zyx)


def test_a_stack_is_pooled_in_the_plane_only(plan):
    flat = replace(plan, strides=((1, 1, 1), (1, 2, 2), (2, 2, 2), (2, 2, 2)), kernels=((1, 3, 3), *plan.kernels[1:]))
    network = build_network(flat, LIGHT)
    assert network.pool.stride == (1, 2, 2)
    assert network(torch.zeros(1, 1, *flat.patch_zyx)).shape[2:] == flat.patch_zyx


def test_with_three_levels_there_is_no_lighter_network(plan):
    small = replace(plan, filters=plan.filters[:3], kernels=plan.kernels[:3], strides=plan.strides[:3])
    assert not isinstance(build_network(small, LIGHT), LightNetwork)


def test_gradient_checkpointing_changes_no_gradient_of_the_light_network(plan):
    torch.manual_seed(0)
    network, images = build_network(plan, LIGHT), torch.randn(1, plan.in_channels, *plan.patch_zyx)
    network(images).square().mean().backward()
    before = [parameter.grad.clone() for parameter in network.parameters()]
    network.zero_grad()
    use_gradient_checkpointing(network)
    network(images).square().mean().backward()
    for parameter, expected in zip(network.parameters(), before, strict=True):
        torch.testing.assert_close(parameter.grad, expected)
