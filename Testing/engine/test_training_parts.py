"""The parts of the training: batches, schedule, memory ladder, frameworks, losses that are not finite."""

import copy
import itertools
import threading
import time

import numpy as np
import pytest
import torch
from metassl.choices.frameworks import SEMI_SUPERVISED
from metassl.data.ahead import OnDemand, Prefetcher
from metassl.data.augment import Augmentation, random_view
from metassl.data.streams import PatchSampler, PreparedCase
from metassl.files.errors import ErrorCode, MetaSSLError
from metassl.frameworks import FRAMEWORKS, build_framework
from metassl.frameworks.pasted import MOST_WARM_UP, WARM_UP
from metassl.networks import memory_ladder
from metassl.networks.checkpoint import load_checkpoint
from metassl.training import loop
from metassl.training.eta import Budget, clock
from metassl.training.loop import Stopped, Trainer, learning_rate
from metassl.training.refusals import BAD_STEPS_IN_A_ROW

CPU = torch.device("cpu")


def cases(count=2, shape=(20, 18, 22)):
    rng = np.random.default_rng(0)
    return [
        PreparedCase(
            f"case{i}",
            rng.normal(size=(1, *shape)).astype(np.float16),
            rng.integers(0, 3, shape).astype(np.uint8),
        )
        for i in range(count)
    ]


def sampler(plan) -> PatchSampler:
    return PatchSampler(plan, cases(), cases(), 0, Augmentation())


def trainer(tmp_path, plan, iterations, events=None, **changes) -> Trainer:
    torch.manual_seed(0)
    events = [] if events is None else events
    return Trainer(
        build_framework("cps", plan),
        sampler(plan),
        Budget(iterations=iterations),
        device=CPU,
        precision="fp32",
        seed=0,
        checkpoint_path=tmp_path / "last.pt",
        emit=lambda event, **fields: events.append({"event": event, **fields}),
        stop_requested=changes.get("stop_requested", lambda: False),
        clock=changes.get("clock", time.monotonic),
    )


def test_a_timed_training_warms_up_once_for_as_long_as_it_says_and_ends_in_time(tmp_path, tiny_plan, monkeypatch):
    monkeypatch.setattr(loop, "REPLAN_SECONDS", 0)  # anew after each step
    now, warm = 0.0, []
    subject = trainer(tmp_path, tiny_plan(), None, clock=lambda: now)
    subject.budget.seconds = 60
    training_loss = subject.framework.training_loss

    def timed(batch, fraction):
        nonlocal now
        warm.append(subject.framework.since_warm_up(fraction) < 0)
        now += subject.framework.cost(fraction)
        return training_loss(batch, fraction)

    monkeypatch.setattr(subject.framework, "training_loss", timed)
    subject.run()
    assert warm == sorted(warm, reverse=True), "never back to it"
    assert warm.count(True) / len(warm) == pytest.approx(MOST_WARM_UP, abs=0.03)
    assert now == pytest.approx(60, abs=2)
    assert subject.framework.planned_steps == subject.budget.total == len(warm)


def test_networks_of_an_earlier_round_warm_up_no_longer_than_usual_also_when_resumed(tmp_path, tiny_plan):
    first, again = (trainer(tmp_path, tiny_plan(), 100) for _ in range(2))
    first.framework.planned_steps = again.framework.planned_steps = 100
    first.framework.taught = True
    first.save()
    again.resume()
    assert again.framework.since_warm_up(WARM_UP) == 0
    again.framework.taught = False
    assert again.framework.since_warm_up(MOST_WARM_UP) == 0


def test_a_batch_depends_on_seed_and_step_alone(tiny_plan):
    first, second = sampler(tiny_plan()), sampler(tiny_plan())
    second.batch(0)
    one, two = first.batch(7), second.batch(7)
    assert torch.equal(one.labelled, two.labelled) and torch.equal(one.annotation, two.annotation)
    assert not torch.equal(one.labelled, first.batch(8).labelled)


def test_without_augmentation_a_view_is_the_image_itself():
    still = Augmentation(0, (1, 1), 0, 0, 0, (1, 1), 0, 0)
    case = cases(1, (16, 16, 16))[0]
    centre = np.full(3, 7.5)
    view, label = random_view(case.image, case.label, centre, (16, 16, 16), (1, 1, 1), still, np.random.default_rng(1))
    blurred = torch.from_numpy(case.image.astype(np.float32))
    assert torch.equal(label, torch.from_numpy(case.label).long())
    # the only change left is the random blur, so the seed is one that draws none
    assert torch.allclose(view, blurred, atol=1e-4)


def test_voxels_outside_the_image_are_not_annotated():
    still = Augmentation(0, (1, 1), 0, 0, 0, (1, 1), 0, 0)
    case = cases(1, (8, 8, 8))[0]
    _, label = random_view(
        case.image, case.label, np.full(3, 3.5), (16, 16, 16), (1, 1, 1), still, np.random.default_rng(1)
    )
    assert (label == 255).sum() == 16**3 - 8**3
    assert torch.equal(label[4:12, 4:12, 4:12], torch.from_numpy(case.label).long())


def test_batches_made_ahead_and_on_demand_are_the_same_from_the_asked_step_on():
    for start in (0, 7):
        ahead, on_demand = Prefetcher(str, start), OnDemand(str, start)
        expected = [str(start + number) for number in range(6)]
        assert [ahead.get() for _ in expected] == [on_demand.get() for _ in expected] == expected
        ahead.close()
        on_demand.close()


def test_batches_that_are_made_at_once_come_in_their_order():
    waiting = threading.Barrier(4, timeout=30)

    def make(step):
        waiting.wait()  # passes when four are made at the same time
        time.sleep(0.002 * (step % 3))
        return step

    batches = Prefetcher(make, 0, ahead=7)
    assert [batches.get() for _ in range(8)] == list(range(8))
    waiting.abort()
    batches.close()


def test_an_error_while_making_a_batch_reaches_the_training_thread():
    def fail(step):
        raise MetaSSLError("case x: the file went away")

    batches = Prefetcher(fail, 0)
    with pytest.raises(MetaSSLError, match="went away"):
        batches.get()
    batches.close()


@pytest.mark.parametrize("loss", ["plain", "metassl"])
@pytest.mark.parametrize("name", list(FRAMEWORKS))
def test_every_framework_trains_with_both_losses_and_all_its_networks_learn(name, loss, tiny_plan):
    torch.manual_seed(0)
    framework = build_framework(name, tiny_plan(), loss)
    batch = sampler(tiny_plan()).batch(0)
    for fraction in (0.0, 0.9):
        framework.zero_grad()
        output = framework.training_loss(batch, fraction)
        assert torch.isfinite(output.total)
        output.total.backward()
        for network in framework.networks:
            assert sum(p.grad.abs().sum() for p in network.parameters()) > 0
        assert all(p.grad is None for p in framework.averages.parameters())
    if loss == "metassl" and name in SEMI_SUPERVISED:
        assert sum(float(v) for v in output.regions.values()) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("name", list(FRAMEWORKS))
def test_voxels_that_nobody_annotated_change_nothing(name, tiny_plan):
    torch.manual_seed(0)
    framework = build_framework(name, tiny_plan())
    batch = sampler(tiny_plan()).batch(0)
    batch.annotation[:, :, :8] = 255
    other = copy.deepcopy(batch)
    reference = first_loss(framework, batch)
    other.annotation[:, :, :8] = 255
    assert first_loss(framework, other) == reference
    other.annotation[:, :, :8] = 1
    assert first_loss(framework, other) != reference


def first_loss(framework, batch) -> float:
    """Of a copy of the framework, so that its thresholds and the random numbers are the same each time."""
    torch.manual_seed(1)
    return float(copy.deepcopy(framework).training_loss(batch, 0.0).total.detach())


def test_the_first_average_is_the_network_itself(tiny_plan):
    framework = build_framework("mt", tiny_plan())
    with torch.no_grad():
        for parameter in framework.networks.parameters():
            parameter.add_(1.0)
    framework.after_step(0)
    for own, average in zip(framework.networks.parameters(), framework.averages.parameters(), strict=True):
        assert torch.equal(own, average)


def test_a_loss_that_is_not_finite_changes_no_weight_and_names_the_cases(tmp_path, tiny_plan):
    events = []
    subject = trainer(tmp_path, tiny_plan(), iterations=20, events=events)
    subject.sampler.labelled[0].image[:] = np.nan
    subject.sampler.labelled[1].image[:] = np.nan
    before = copy.deepcopy(subject.framework.state_dict())
    subject.save()
    with pytest.raises(MetaSSLError, match="case0|case1") as caught:
        subject.run()
    assert caught.value.code is ErrorCode.NOT_FINITE
    assert sum(e["event"] == "warning" for e in events) == BAD_STEPS_IN_A_ROW
    kept = load_checkpoint(tmp_path / "last.pt")["framework"]
    assert all(torch.equal(kept[name], before[name]) for name in before)


def test_a_stop_request_ends_after_the_step_with_a_checkpoint(tmp_path, tiny_plan):
    subject = trainer(tmp_path, tiny_plan(), iterations=50, stop_requested=lambda: True)
    with pytest.raises(Stopped):
        subject.run()
    assert load_checkpoint(tmp_path / "last.pt")["step"] == 1


def test_a_time_budget_plans_steps_from_measured_times():
    budget = Budget(seconds=100)
    assert budget.replan(step=10, elapsed=20, seconds_per_step=0.5)
    assert budget.total == 170
    assert not budget.replan(step=20, elapsed=25, seconds_per_step=0.5)
    assert budget.replan(step=50, elapsed=90, seconds_per_step=1.0) and budget.total == 60


def test_the_seconds_of_a_budget_are_those_of_the_clock_it_was_given(tmp_path, tiny_plan):
    made = trainer(tmp_path, tiny_plan(), iterations=None, clock=itertools.count().__next__)
    made.budget.seconds = 100
    made.run()
    assert 12 <= made.step < 100, "every step reads the clock, which is a second later each time, more than once"


def test_processor_time_stands_still_while_nothing_is_computed():
    wall, processor = clock("wall", 1), clock("processor", 1)
    before = wall(), processor()
    time.sleep(0.2)
    passed = wall() - before[0], processor() - before[1]
    assert passed[0] >= 0.2 and passed[1] < 0.1
    with pytest.raises(MetaSSLError, match="no clock 'sun'"):
        clock("sun", 1)


def test_the_learning_rate_warms_up_and_decays_to_nothing():
    rates = [learning_rate(1.0, step, 1000) for step in range(1001)]
    assert rates[0] < rates[10] < rates[19] and rates[1000] == 0
    assert all(a >= b for a, b in zip(rates[20:], rates[21:], strict=False))


def test_the_memory_ladder_goes_down_rung_by_rung_and_ends(tiny_plan):
    plan, device, checkpointing = tiny_plan(batch=(2, 2), patch_zyx=(64, 64, 64)), CPU, False
    rungs = []
    while (rung := memory_ladder.next_rung(plan, device, checkpointing)) is not None:
        plan, device, checkpointing, message = rung
        rungs.append(message)
    assert rungs[0] == "batch 1 + 1" and rungs[-1] == "gradient checkpointing"
    assert all("patch" in message for message in rungs[1:-1]) and len(rungs) > 3


@pytest.mark.parametrize("name", list(FRAMEWORKS))
def test_gradient_checkpointing_gives_the_same_gradients(name, tiny_plan):
    torch.manual_seed(0)
    framework = build_framework(name, tiny_plan())
    batch = sampler(tiny_plan()).batch(0)
    recomputing = copy.deepcopy(framework)
    for network in recomputing.networks:
        memory_ladder.use_gradient_checkpointing(network)
    for subject in (framework, recomputing):
        torch.manual_seed(1)
        subject.training_loss(batch, 0.5).total.backward()
    for expected, found in zip(framework.networks.parameters(), recomputing.networks.parameters(), strict=True):
        assert torch.allclose(found.grad, expected.grad, atol=1e-6)
