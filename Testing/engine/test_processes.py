"""Several processes train as one: the same gradient of the same batch, and a round that changes their number."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
import torch
import two_processes
from metassl.networks.processes import ALONE, Processes
from metassl.training.prepare import for_processes
from tiny_plan import tiny_plan


@pytest.fixture(scope="module")
def of_two(tmp_path_factory) -> Path:
    """What two processes have computed."""
    folder = tmp_path_factory.mktemp("two")
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=two_processes.work, args=(rank, str(folder))) for rank in (0, 1)]
    for process in both:
        process.start()
    for process in both:
        process.join(300)
    assert [process.exitcode for process in both] == [0, 0]
    return folder


@pytest.mark.parametrize("batch", two_processes.BATCHES)
@pytest.mark.parametrize(("name", "loss"), two_processes.CHOICES)
def test_the_gradient_of_two_processes_is_that_of_one(of_two, name, loss, batch):
    torch.set_num_threads(1)
    expected = two_processes.alone(name, loss, batch)
    first, second = (torch.load(of_two / f"{name}-{loss}-{batch[0]}-{rank}.pt") for rank in (0, 1))
    assert first.keys() == second.keys() == expected.keys()
    for key, value in expected.items():
        assert torch.equal(first[key], second[key]), f"{key} drifts apart"
        largest = float(value.abs().max())
        assert torch.allclose(first[key], value, rtol=1e-4, atol=1e-5 * max(largest, 1e-3)), key
    assert any(float(value.abs().max()) > 0 for value in expected.values())


def test_all_do_what_the_first_says(of_two):
    assert [(of_two / f"told-{rank}").read_text(encoding="utf-8") for rank in (0, 1)] == ["[10, 20]"] * 2


def test_each_process_gets_a_patch_of_either_kind():
    plan = tiny_plan(batch=(1, 1))
    assert for_processes(plan, 2).batch == (2, 2) and for_processes(plan, 3).batch == (3, 3)
    assert for_processes(tiny_plan(batch=(2, 2)), 5).batch == (6, 6)


def test_a_network_that_gives_several_predictions_of_a_patch_is_refused():
    with pytest.raises(ValueError, match="in_parts"):
        Processes(0, 2).forward(lambda images: torch.cat([images, images]), torch.zeros(4, 1, 2, 2, 2))


def test_one_process_asks_nobody():
    image = torch.ones(2, 1, 2, 2, 2)
    assert torch.equal(ALONE.forward(lambda images: 2 * images, image), 2 * image)
    assert ALONE.of_the_first(3, 4) == [3, 4] and ALONE.is_first
