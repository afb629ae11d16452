"""Which device trains: one that is there and cannot is not taken unasked, and the user is told why."""

from __future__ import annotations

import pytest
import torch
from metassl import doctor as doctor_checks
from metassl.data.budget import choose_precision
from metassl.networks import device
from metassl.networks.device import autocast, choose_device, gpu_problem
from metassl.networks.memory_ladder import is_out_of_memory, next_rung

OLD = "CUDA error: no kernel image is available for execution on the device\nCompile with ..."


@pytest.fixture
def gpu_too_old(monkeypatch):
    """torch says that there is a GPU; what runs on it fails as on one that this torch was not built for."""
    step = device.train_a_step

    def fails(name: str) -> None:
        if name.startswith("cuda"):
            raise RuntimeError(OLD)
        step(name)

    class Properties:
        name, total_memory = "GTX 1080", 8 << 30

    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda index: Properties)
    monkeypatch.setattr(device, "train_a_step", fails)
    gpu_problem.cache_clear()
    yield
    gpu_problem.cache_clear()


def test_a_gpu_that_cannot_train_is_left_for_the_cpu_unless_it_is_asked_for(gpu_too_old):
    assert choose_device("auto").type == "cpu" and choose_device("cuda").type == "cuda"
    assert gpu_problem() == OLD.splitlines()[0]


def test_doctor_says_why_the_gpu_is_not_used_and_that_training_runs_all_the_same(gpu_too_old):
    state, text, advice = doctor_checks.check_gpu()
    assert state == "note" and "GTX 1080" in text and "no kernel image" in text and "pytorch.org" in advice


def test_without_a_gpu_there_is_no_problem_with_it(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    gpu_problem.cache_clear()
    assert gpu_problem() == ""
    gpu_problem.cache_clear()


@pytest.mark.parametrize("kind", ["cpu", "mps"])
def test_a_model_planned_for_an_nvidia_gpu_runs_in_full_precision_elsewhere(kind):
    with autocast(torch.device(kind), "bf16"):
        assert not torch.is_autocast_enabled(kind)


def test_an_unknown_failure_is_no_lack_of_memory():
    assert not is_out_of_memory(RuntimeError(OLD))


@pytest.mark.parametrize(
    ("capability", "planned", "when_memory_is_short"),
    [((6, 1), "fp32", "fp16"), ((7, 5), "fp16", "fp16"), ((8, 0), "bf16", "bf16"), ((9, 0), "bf16", "bf16")],
)
def test_a_card_computes_in_what_it_is_fast_in(capability, planned, when_memory_is_short, tiny_plan, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: capability)
    assert choose_precision("cuda") == planned
    plan, *_rest = next_rung(tiny_plan(), torch.device("cuda"), False)
    assert plan.precision == when_memory_is_short
    assert next_rung(plan, torch.device("cuda"), False)[-1] == "gradient checkpointing", "not the same rung again"
