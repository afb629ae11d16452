"""What every host must do, as a base class of the test classes in Testing/engine/test_hosts_*.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from metassl.data.augment import Augmentation
from metassl.data.plan import Plan
from metassl.data.streams import Batch, PatchSampler, PreparedCase
from metassl.hosts import build_host
from metassl.hosts.base import Host
from metassl.inference.calibration import calibrate_thresholds
from metassl.inference.model import TrainedModel
from metassl.inference.region_map import DC, DS, UC, US, region_map
from metassl.inference.sliding_window import predict_pair
from metassl.jobs.hosts_catalog import LOSSES, describe_host
from metassl.training.loop import Stopped, Trainer
from metassl.training.schedule import Budget

CPU = torch.device("cpu")
EARLY, LATE = 0.0, 0.9  # fractions of the schedule


def cohort(count: int = 4) -> list[PreparedCase]:
    """Noisy 20³ images of two bright boxes side by side, at a place of their own in each case."""
    cases = []
    for number in range(count):
        rng = np.random.default_rng(number)
        label = np.zeros((20, 20, 20), np.uint8)
        z, y, x = rng.integers(3, 7, 3)
        label[z : z + 9, y : y + 5, x : x + 10] = 1
        label[z : z + 9, y + 5 : y + 10, x : x + 10] = 2
        image = label * 1.0 - 0.5 + rng.normal(0, 0.4, label.shape)
        cases.append(PreparedCase(f"case{number}", image[None].astype(np.float16), label))
    return cases


def sampler(plan: Plan) -> PatchSampler:
    """Two labelled cases, the others unlabelled."""
    cases = cohort()
    return PatchSampler(plan, cases[:2], [PreparedCase(case.id, case.image) for case in cases[2:]], 0, Augmentation())


def fresh_host(name: str, plan: Plan, loss: str = "metassl") -> Host:
    torch.manual_seed(0)
    return build_host(name, plan, loss)


def gradients(host: Host, batch: Batch, fraction: float) -> dict[str, torch.Tensor]:
    """By parameter; zeros where none arrives. Random numbers are the same at each call."""
    host.zero_grad()
    torch.manual_seed(3)
    host.training_loss(batch, fraction).total.backward()
    named = host.networks.named_parameters()
    return {name: torch.zeros_like(p) if p.grad is None else p.grad.clone() for name, p in named}


class HostChecks:
    """A subclass names the host and adds what is characteristic of it."""

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
        host = fresh_host(self.name, plan, loss)
        self.events = []
        trainer = Trainer(
            host,
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

    @pytest.mark.parametrize("loss", LOSSES)
    def test_it_trains_with_finite_losses_and_every_weight_moves(self, loss, plan, tmp_path):
        before = fresh_host(self.name, plan, loss).networks.state_dict()
        trainer = self.trained(tmp_path, plan, loss, steps=12)
        assert self.events == ["checkpoint"], "no step was refused"
        after = trainer.host.networks.state_dict()
        assert [name for name in before if torch.equal(before[name], after[name])] == []
        output = trainer.host.training_loss(trainer.sampler.batch(99), LATE)
        assert "total" in output.parts and all(torch.isfinite(part) for part in output.parts.values())

    @pytest.mark.parametrize("loss", LOSSES)
    @pytest.mark.parametrize("fraction", [EARLY, LATE])
    def test_gradients_reach_every_trained_network_and_no_average(self, loss, fraction, plan, batch):
        host = fresh_host(self.name, plan, loss)
        found = gradients(host, batch, fraction)
        for index in range(len(host.networks)):
            of_network = [g for name, g in found.items() if name.startswith(f"{index}.")]
            assert of_network and all(torch.isfinite(g).all() for g in of_network)
            assert all(g.abs().sum() > 0 for g in of_network)
        assert all(p.grad is None for p in host.averages.parameters())

    @pytest.mark.parametrize("loss", LOSSES)
    def test_a_resumed_training_ends_with_the_same_bits(self, loss, plan, tmp_path):
        whole = self.trained(tmp_path / "whole", plan, loss, steps=10)
        self.trained(tmp_path / "parts", plan, loss, steps=10, stop_at=4)
        resumed = self.trained(tmp_path / "parts", plan, loss, steps=10)
        first, second = whole.host.state_dict(), resumed.host.state_dict()
        assert first.keys() == second.keys()
        assert [name for name in first if not torch.equal(first[name], second[name])] == []

    @pytest.mark.parametrize("loss", LOSSES)
    def test_its_pair_gives_maps_of_four_regions_that_a_saved_model_repeats(self, loss, plan, tmp_path):
        host = self.trained(tmp_path, plan, loss, steps=30).host
        pair = tuple(network.eval() for network in host.inference_pair())
        unseen = cohort(6)[-1]
        thresholds = calibrate_thresholds([predict_pair(pair, unseen.image, plan, CPU)], plan.classes)
        model = TrainedModel(pair, plan, thresholds, [0, 1, 2], self.name, 40, CPU)
        regions = regions_of(model, unseen.image)
        assert regions.shape == unseen.image.shape[1:]
        found = set(regions.unique().tolist())
        assert UC in found and found & {US, DC, DS} and found <= {UC, US, DC, DS}
        model.save(tmp_path / "model.pt")
        assert torch.equal(regions_of(TrainedModel.load(tmp_path / "model.pt", CPU), unseen.image), regions)

    def test_plain_and_metassl_teach_different_things(self, plan, batch):
        plain, metassl = (gradients(fresh_host(self.name, plan, loss), batch, LATE) for loss in ("plain", "metassl"))
        assert all(not torch.allclose(plain[name], metassl[name], rtol=1e-3) for name in plain)

    def test_metassl_reports_the_regions_of_the_unlabelled_voxels(self, plan, batch):
        shares = fresh_host(self.name, plan).training_loss(batch, LATE).regions
        assert list(shares) == ["UC", "US", "DC", "DS"]
        assert sum(float(share) for share in shares.values()) == pytest.approx(1, abs=1e-4)

    def test_the_next_round_goes_on_from_the_pair(self, plan, tmp_path):
        host = self.trained(tmp_path, plan, "metassl", steps=10).host
        pair = host.inference_pair()
        follower = build_host(self.name, plan)
        follower.start_from(pair)
        for own, given in zip(follower.inference_pair(), pair, strict=True):
            for name, value in given.state_dict().items():
                torch.testing.assert_close(own.state_dict()[name], value)

    def test_it_is_described(self):
        found = describe_host(self.name)
        assert found.citation.endswith(tuple(str(year) for year in range(2015, 2027)))
        assert "\n" not in found.summary and found.pair


def regions_of(model: TrainedModel, image: np.ndarray) -> torch.Tensor:
    """Region map (z, y, x) of an image (C, z, y, x)."""
    first, second = predict_pair(model.networks, image, model.plan, CPU)
    pair = (torch.from_numpy(part.astype(np.float32)) for part in (first, second))
    return region_map(*pair, model.thresholds).regions
