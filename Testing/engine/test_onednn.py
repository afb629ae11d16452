"""oneDNN computes the convolutions of a single image: the same numbers, sooner."""

from __future__ import annotations

import time

import pytest
import torch
from metassl.networks.device import autocast
from metassl.networks.onednn import OneDNN, onednn_helps
from metassl.networks.unet import build_network
from tiny_plan import tiny_plan

pytestmark = pytest.mark.skipif(not onednn_helps(), reason="torch has no oneDNN for this CPU")

PLAN = tiny_plan(patch_zyx=(40, 56, 40), filters=(16, 32, 64), strides=((2, 2, 2),) * 3)


def gradients(network, images) -> list[torch.Tensor]:
    network.zero_grad()
    logits = network(images)
    logits.square().mean().backward()
    return [logits.detach(), *(parameter.grad.clone() for parameter in network.parameters())]


@pytest.mark.parametrize("images", [1, 2])
def test_logits_and_gradients_are_those_of_torch(images):
    torch.manual_seed(0)
    network, batch = build_network(PLAN), torch.randn(images, 1, *PLAN.patch_zyx)
    plain = gradients(network, batch)
    with autocast(torch.device("cpu"), PLAN.precision):
        fast = gradients(network, batch)
    for own, expected in zip(fast, plain, strict=True):
        torch.testing.assert_close(own, expected, atol=1e-5, rtol=1e-3)


def test_only_a_single_image_is_brought_to_the_layout_of_onednn():
    weight = torch.randn(4, 1, 3, 3, 3, requires_grad=True)
    for images, expected in ((1, True), (2, False)):
        seen = []
        with OneDNN(), torch.autograd.graph.saved_tensors_hooks(lambda t, seen=seen: seen.append(t) or t, lambda t: t):
            torch.nn.functional.conv3d(torch.randn(images, 1, 8, 8, 8), weight)
        assert any(tensor.is_mkldnn for tensor in seen) == expected


def test_a_training_step_on_one_image_takes_less_time():
    torch.manual_seed(0)
    network, image = build_network(PLAN), torch.randn(1, 1, *PLAN.patch_zyx)

    def step() -> float:
        begin = time.thread_time()
        gradients(network, image)
        return time.thread_time() - begin

    plain, fast = [], []
    for _ in range(4):
        plain.append(step())
        with OneDNN():
            fast.append(step())
    assert min(fast) < 0.8 * min(plain)
