"""What every framework must do, as a base class of the test classes in Testing/engine/test_frameworks_*.py.

That gradients reach every network and no average is in test_training_parts.py.
"""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
import torch
from framework_parts import CPU, LATE, cohort, fresh_framework, gradients, regions_of, sampler
from metassl.choices.frameworks import UNIFORM_IS_PLAIN, describe_framework
from metassl.data.plan import Plan
from metassl.data.streams import Batch
from metassl.frameworks import build_framework
from metassl.inference.calibration import calibrate_thresholds
from metassl.inference.model import TrainedModel
from metassl.inference.region_map import DC, DS, UC, US
from metassl.inference.sliding_window import predict_pair
from metassl.training.eta import Budget
from metassl.training.loop import Stopped, Trainer

TRAINED = ("metassl", "plain", "uniform", "official")
"""What is official as published differs in two dimensions alone; see `test_no_two_losses_teach_the_same...`."""
RESUMED = ("metassl", "plain", "official")
"""The others have the state of one of these."""


class FrameworkChecks:
    """A subclass names the framework and adds what is characteristic of it."""

    name: str

    @pytest.fixture(autouse=True)
    def one_thread(self):
        """Threads that wait for each other cost more than they save on such small patches."""
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        yield
        torch.set_num_threads(before)

    @pytest.fixture
    def plan(self, tiny_plan) -> Plan:
        return tiny_plan()

    @pytest.fixture
    def batch(self, plan) -> Batch:
        return sampler(plan).batch(0)

    def trained(self, path: Path, plan: Plan, loss: str, steps: int, stop_at: int | None = None) -> Trainer:
        """After `steps`, or stopped at `stop_at`; it goes on where the checkpoint in `path` ends."""
        framework = fresh_framework(self.name, plan, loss)
        self.events = []
        trainer = Trainer(
            framework,
            sampler(plan),
            Budget(iterations=steps),
            device=CPU,
            precision="fp32",
            seed=5,
            checkpoint_path=path / "last.pt",
            emit=lambda event, **fields: event == "progress" or self.events.append(event),
            stop_requested=lambda: trainer.step == stop_at,
        )
        if trainer.checkpoint_path.exists():
            trainer.resume()
        if stop_at is None:
            trainer.run()
        else:
            with pytest.raises(Stopped):
                trainer.run()
        return trainer

    @pytest.fixture
    def loss(self, request) -> str:
        """Each that the framework has; the others are refused in `test_losses`."""
        if request.param not in describe_framework(self.name).losses:
            pytest.skip(f"{self.name} has no loss {request.param}")
        return request.param

    @pytest.mark.parametrize("loss", TRAINED, indirect=True)
    def test_it_trains_and_its_pair_gives_a_map_and_the_next_round(self, loss, plan, tmp_path):
        before = fresh_framework(self.name, plan, loss).networks.state_dict()
        framework = self.trained(tmp_path, plan, loss, steps=20).framework
        assert self.events == ["checkpoint"], "no step was refused"
        after = framework.networks.state_dict()
        assert [name for name in before if torch.equal(before[name], after[name])] == []
        pair = tuple(network.eval() for network in framework.inference_pair())
        self.check_that_the_map_has_regions_and_a_saved_model_repeats_it(pair, plan, tmp_path / "model.pt")
        follower = build_framework(self.name, plan)
        follower.start_from(pair)
        for own, given in zip(follower.inference_pair(), pair, strict=True):
            for name, value in given.state_dict().items():
                torch.testing.assert_close(own.state_dict()[name], value)

    def check_that_the_map_has_regions_and_a_saved_model_repeats_it(self, pair, plan: Plan, path: Path) -> None:
        image = cohort(6)[-1].image  # not trained on
        thresholds = calibrate_thresholds([predict_pair(pair, image, plan, CPU)], plan)
        model = TrainedModel(pair, plan, thresholds, [0, 1, 2], self.name, 20, CPU)
        regions = regions_of(model, image)
        assert regions.shape == image.shape[1:]
        found = set(regions.unique().tolist())
        assert UC in found and found & {DC, DS} and found <= {UC, US, DC, DS}, "the two differ somewhere"
        model.save(path)
        assert torch.equal(regions_of(TrainedModel.load(path, CPU), image), regions)

    @pytest.mark.parametrize("loss", RESUMED, indirect=True)
    def test_a_resumed_training_ends_with_the_same_bits(self, loss, plan, tmp_path):
        whole = self.trained(tmp_path / "whole", plan, loss, steps=8)
        self.trained(tmp_path / "parts", plan, loss, steps=8, stop_at=4)
        resumed = self.trained(tmp_path / "parts", plan, loss, steps=8)
        first, second = whole.framework.state_dict(), resumed.framework.state_dict()
        assert first.keys() == second.keys()
        assert [name for name in first if not torch.equal(first[name], second[name])] == []

    def test_plain_and_metassl_teach_different_things(self, plan, batch):
        plain, metassl = (
            gradients(fresh_framework(self.name, plan, loss), batch, LATE) for loss in ("plain", "metassl")
        )
        assert all(not torch.allclose(plain[name], metassl[name], rtol=1e-3) for name in plain)

    def test_no_two_losses_teach_the_same_but_where_the_catalogue_says_so(self, plan, batch):
        described = describe_framework(self.name)
        taught = {loss: gradients(fresh_framework(self.name, plan, loss), batch, LATE) for loss in described.losses}
        for one, other in combinations(taught, 2):
            same = all(torch.equal(value, taught[other][name]) for name, value in taught[one].items())
            alike = {one, other} == {"uniform", "plain"} and self.name in UNIFORM_IS_PLAIN
            in_three_dimensions = {one, other} == {"official", "official-as-published"} and described.script != "cct"
            assert same == (alike or in_three_dimensions), (one, other)
