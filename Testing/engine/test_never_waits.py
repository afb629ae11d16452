"""A training step on a GPU waits for nothing: proved on torch's device without data, which has nothing to wait for."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from framework_parts import LATE, fresh_framework, sampler
from metassl.choices.frameworks import describe_framework
from metassl.data import augment
from metassl.data.ahead import batches_for
from metassl.data.budget import choose_precision
from metassl.frameworks import FRAMEWORKS
from metassl.frameworks.bcp import BidirectionalCopyPaste
from metassl.training.eta import Budget
from metassl.training.loop import Trainer
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

CPU, META = torch.device("cpu"), torch.device("meta")


class Waits(Exception):
    """The device would have to come to an end, or the program would wait for a copy."""


class NoCopies(TorchDispatchMode):
    """Refuses what copies between the CPU and the device, unless the copy runs beside the program.

    That a value is looked at, as by `item`, `if` or `nonzero`, the device without data refuses itself.
    """

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        if function in (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default):
            source = args[1] if function is torch.ops.aten.copy_.default else args[0]
            if source.device != out.device and not (kwargs or {}).get("non_blocking"):
                raise Waits(f"{function} from {source.device} to {out.device}")
        return out


class NoListsToDevice(TorchFunctionMode):
    """Refuses tensors that are made of Python's numbers on the device: a copy as well."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function in (torch.tensor, torch.as_tensor) and (kwargs or {}).get("device") == META:
            raise Waits(f"{function.__name__} of a list")
        return function(*args, **(kwargs or {}))


class NoValues(TorchDispatchMode):
    """Refuses that a value is looked at."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function is torch.ops.aten._local_scalar_dense.default:
            raise Waits
        return function(*args, **(kwargs or {}))


def trainer_of(name, loss, plan, folder, events, device=CPU, precision="fp32") -> Trainer:
    framework = fresh_framework(name, plan, loss)
    framework.run_on(device, precision)
    return Trainer(
        framework,
        sampler(plan),
        Budget(iterations=30),
        device=device,
        precision=precision,
        seed=0,
        checkpoint_path=folder / "last.pt",
        emit=lambda event, **fields: events.append((event, fields)),
        stop_requested=lambda: False,
    )


def step(framework, batch) -> None:
    """What the loop does with a batch, its optimiser aside."""
    with NoCopies(), NoListsToDevice():
        framework.training_loss(batch, LATE).total.backward()
        torch.nn.utils.clip_grad_norm_(list(framework.trained_parameters()), 5.0)
        framework.after_step(3)


@pytest.mark.parametrize("loss", ["metassl", "plain", "official"])
@pytest.mark.parametrize("name", list(FRAMEWORKS))
def test_no_framework_waits_for_the_device(name, loss, tiny_plan, monkeypatch):
    if loss not in describe_framework(name).losses:
        pytest.skip(f"{name} has no loss {loss}")
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # which the device without data lacks
    framework = fresh_framework(name, tiny_plan(), loss)
    framework.run_on(META, "fp32")
    batch = sampler(tiny_plan()).batch(0).to(META)
    if isinstance(framework, BidirectionalCopyPaste) and loss != "official":
        with pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor"):
            step(framework, batch)  # components are found on the CPU, by SimpleITK
    else:
        step(framework, batch)


def test_no_view_that_a_gpu_makes_waits_for_it(tiny_plan, monkeypatch):
    monkeypatch.setattr(augment, "_values", lambda seed, channel: torch.randn(channel.shape, device=channel.device))
    for number in range(8):  # until each change has been drawn; the device without data has no generator for noise
        cuts = sampler(tiny_plan()).cuts(number)
        with NoCopies(), NoListsToDevice():
            batch = cuts.to(META)
        assert {tensor.device for tensor in batch.tensors} == {META}
    with NoValues():
        cuts.to(CPU)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("precision", ["fp32", choose_precision("cuda")])
def test_a_gpu_itself_is_not_waited_for(precision, tiny_plan, tmp_path):
    device = torch.device("cuda")
    trainer = trainer_of("cps", "metassl", tiny_plan(batch=(2, 2)), tmp_path, [], device, precision)
    batches = batches_for(device, trainer.sampler, 0)
    try:
        assert all(cut.pixels.is_pinned() for cut in trainer.sampler.cuts(0, pinned=True).labelled)
        for trainer.step in range(3):  # what is made once waits
            trainer.train_step(batches.get())
        torch.cuda.set_sync_debug_mode("error")
        for trainer.step in range(3, 6):
            trainer.train_step(batches.get())
    finally:
        torch.cuda.set_sync_debug_mode("default")
        batches.close()


@pytest.mark.parametrize(
    "waits",
    [
        lambda x: float(x.sum()),
        lambda x: x.cpu(),
        lambda x: x[x > 0],
        lambda x: x + torch.zeros(2, 2).to(META),
        lambda x: x + torch.tensor([1.0, 2.0], device=META),
        lambda x: x.copy_(torch.zeros(2, 2)),
    ],
)
def test_what_waits_is_found(waits):
    with NoCopies(), NoListsToDevice(), pytest.raises((Waits, RuntimeError, NotImplementedError)):
        waits(torch.ones(2, 2, device=META))


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_step_of_the_loop_looks_at_no_value_before_it_is_asked_to(precision, tiny_plan, tmp_path):
    """Of the framework that draws nothing on the CPU; in half precision the scaler decides about each step."""
    events = []
    trainer = trainer_of("supervised", "plain", tiny_plan(), tmp_path, events)
    trainer.scaler = torch.amp.GradScaler("cpu", enabled=precision == "fp16")
    trainer.looks_at_every_step = False
    before = [weights.clone() for weights in trainer.parameters]
    good, bad = trainer.sampler.batch(0), trainer.sampler.batch(1)
    bad.labelled[:] = torch.nan
    with NoValues():
        trainer.train_step(bad)
    assert all(torch.equal(*pair) for pair in zip(before, trainer.parameters, strict=True)), "it changed no weight"
    trainer.step = 1
    with NoValues():
        trainer.train_step(good)
    assert not any(torch.equal(*pair) for pair in zip(before, trainer.parameters, strict=True))
    assert events == []
    trainer.refusals.look()
    ((event, fields),) = events
    assert event == "warning" and fields["message"].startswith("step 0: the loss is not finite on the cases case")
