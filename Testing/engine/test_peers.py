"""`metassl peers` and `metassl adapt`: the trainings of the peers, their clock, and the file that they add to."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from in_process import trainings_in_this_process
from metassl.commands.shared.console import Console
from metassl.files import MetaSSLError
from metassl.imaging import Geometry, read_labels
from metassl_research.commands import adapt, peers
from metassl_research.experiment import Experiment
from metassl_research.lines import add_run
from metassl_research.peers import elsewhere, ours, page, runs
from metassl_research.peers.raw_dataset import write_raw
from metassl_research.peers.runs import Peers, read_runs
from metassl_research.peers.settings import AdaptSettings, Run, Settings, Source, chosen_looks, chosen_minutes
from metassl_research.peers.training import monailabel, timed
from metassl_research.peers.training.job import TrainingJob
from metassl_research.peers.training.nnunet import learning_rate

FEW = Settings("Boxes", ("nnunet", "supervised"), (1,), (0.01,), 1, "processor", "cpu", looks=())


@pytest.fixture
def data(decathlon: Path) -> Path:
    """Three cases to train on, one that takes no part, two to test."""
    names = [f"case_{number}" for number in range(6)]
    split = {"train_order": names[:3], "val": names[3:4], "test": names[4:]}
    (decathlon / "splits.json").write_text(json.dumps(split), encoding="utf-8")
    return decathlon


@pytest.fixture
def experiment(data: Path, tmp_path: Path) -> Experiment:
    return Experiment.open(tmp_path / "work", data, validate=False)


def command(module, *words: object) -> int:
    """As `metassl` runs it, whichever commands are installed."""
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    arguments = parser.parse_args([*map(str, words)])
    return module.run(arguments, Console(arguments.json))


# --------------------------------------------------------------------- a training for so many minutes


class Counter:
    """A peer that learns nothing: its network has one weight, the number of its steps."""

    packages = ("numpy",)

    def __init__(self) -> None:
        self.network = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.zeros_(self.network.weight)
        self.spent: list[float] = []
        self.training: timed.Training | None = None
        self.stop_after: int | None = None

    def step(self, number: int, spent: float) -> None:
        self.spent.append(spent)
        with torch.no_grad():
            self.network.weight += 1
        if number + 1 == self.stop_after:
            self.training.stop_requested = True

    def state(self) -> dict:
        return {"network": self.network.state_dict()}

    def load(self, state: dict) -> None:
        self.network.load_state_dict(state["network"])

    def predict(self, images: Sequence[Path], path: Path) -> None:
        ticks[0] += 100.0  # takes time, which does not count
        path.write_text(f"{self.network.weight.item():g}", encoding="utf-8")

    def finish(self) -> None:
        pass


ticks = [0.0]


@pytest.fixture
def job(tmp_path: Path, monkeypatch) -> TrainingJob:
    """Of ten seconds, on a clock that goes on by half a second whenever it is read."""
    ticks[0] = 0.0

    def tick() -> float:
        ticks[0] += 0.5
        return ticks[0]

    monkeypatch.setattr(timed, "clock", lambda name, threads: tick)
    (tmp_path / "job").mkdir()
    test = {"a": ["a.nii.gz"], "b": ["b.nii.gz"]}
    return TrainingJob(str(tmp_path / "job"), "nnunet", "", test, 10 / 60, "wall", 1, "cpu", 0, [0.5, 1.0])


def test_a_training_ends_with_its_time_and_predicting_on_the_way_takes_nothing_of_it(job):
    peer = Counter()
    training = timed.Training(job, peer)
    assert training.run()
    assert peer.spent == sorted(peer.spent) and peer.spent[0] < 0.2 and 0.8 < peer.spent[-1] <= 1
    half, end = training.looks
    assert (half["share"], end["share"]) == (0.5, 1.0)
    assert 5 <= half["seconds"] < 7 and 10 <= end["seconds"] < 12, "100 seconds a prediction were not counted"
    for look in (half, end):
        assert {job.prediction(look["share"], case).read_text("utf-8") for case in job.test} == {f"{look['steps']:g}"}
    assert training.steps == len(peer.spent) == end["steps"] > half["steps"]


def test_a_training_that_was_stopped_goes_on_with_its_weights_its_time_and_its_looks(job):
    first = Counter()
    training = timed.Training(job, first)
    first.training, first.stop_after = training, 12
    assert not training.run()
    assert [look["share"] for look in training.looks] == [0.5]
    kept = job.prediction(0.5, "a").stat().st_mtime_ns

    second = Counter()
    training = timed.Training(job, second)
    assert training.steps == 12 and second.network.weight.item() == 12
    assert training.run()
    assert second.spent[0] > first.spent[-1] and 10 <= training.looks[-1]["seconds"] < 12
    assert job.prediction(0.5, "a").stat().st_mtime_ns == kept, "it was not looked at twice"
    assert second.network.weight.item() == training.steps == len(first.spent) + len(second.spent)


def test_what_came_of_a_training_stands_in_its_folder_and_what_it_went_on_from_is_gone(job):
    peer = Counter()
    timed.train(replace(job, threads=torch.get_num_threads()), peer)
    found = job.found()
    assert found["steps"] == found["looks"][-1]["steps"] and found["parameters"] == 1
    assert found["versions"].keys() == {"numpy", "torch"} and not job.state_path.exists()


def test_the_process_of_a_peer_reads_what_it_was_asked(job):
    job.write()
    assert TrainingJob.read(Path(job.folder)) == job


def test_the_rate_of_nnunet_falls_with_the_time_or_along_its_own_thousand_epochs():
    assert [learning_rate(0.01, 7, spent, "time") for spent in (0.0, 1.0)] == [0.01, 0.0]
    assert learning_rate(0.01, 7, 0.5, "time") == pytest.approx(0.01 * 0.5**0.9)
    own = [learning_rate(0.01, number, 0.9, "1000 epochs") for number in (0, 249, 250, 125_000)]
    assert own[0] == own[1] == 0.01 > own[2] == pytest.approx(0.01 * 0.999**0.9)
    assert own[3] == pytest.approx(0.01 * 0.5**0.9)


# --------------------------------------------------------------------- MONAI Label's settings


def image(size_zyx: tuple[int, int, int], spacing: tuple[float, float, float]) -> torch.Tensor:
    grid = Geometry(size_zyx[::-1], spacing[::-1], (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
    return monailabel.turned(np.zeros((1, *size_zyx), np.float32), grid)


def test_crops_of_monai_label_hold_small_images_and_are_its_own_for_large_ones():
    small = monailabel.grid_of([image((35, 51, 35), (1.0, 1.0, 1.0)), image((36, 48, 40), (1.0, 1.0, 1.0))])
    assert small.spacing == (1.0, 1.0, 1.0) and small.crop == (48, 64, 48)
    large = monailabel.grid_of([image((300, 512, 512), (2.0, 0.8, 0.8))])
    assert large.spacing == pytest.approx((1.5, 0.8, 0.8)) and large.crop == (96, 96, 96)


def test_the_network_and_the_optimiser_of_monai_label_are_the_published_ones(experiment, tmp_path):
    peer = monailabel.peer(monai_job(experiment, tmp_path))
    assert sum(weights.numel() for weights in peer.network.parameters()) == 18_796_035
    (group,) = peer._optimizer.param_groups
    assert (group["lr"], group["weight_decay"]) == (1e-4, 1e-5)


def monai_job(experiment: Experiment, folder: Path) -> TrainingJob:
    raw = write_raw(folder / "raw", experiment.project, ["case_0", "case_2"])
    return TrainingJob(str(folder), "monailabel", str(raw), {}, 1.0, "processor", 1, "cpu", 3)


def test_a_training_of_monai_label_takes_steps_goes_on_from_its_state_and_predicts_on_the_grid(experiment, tmp_path):
    job = monai_job(experiment, tmp_path)
    peer = monailabel.peer(job)
    before = [weights.clone() for weights in peer.network.parameters()]
    for number in range(2):
        peer.step(number, 0.5)
    assert any(not torch.equal(one, other) for one, other in zip(before, peer.network.parameters(), strict=True))
    assert len(peer._order) == 0, "both cases in each turn"
    paths = experiment.project.image_paths("case_4")
    peer.predict(paths, tmp_path / "first.nii.gz")
    again = monailabel.peer(replace(job, seed=4))
    again.load(peer.state())
    again.predict(paths, tmp_path / "second.nii.gz")
    found, grid = read_labels(tmp_path / "first.nii.gz", "case_4")
    assert np.array_equal(found, read_labels(tmp_path / "second.nii.gz", "case_4")[0])
    truth, own = experiment.project.read_label("case_0")
    assert found.shape == truth.shape and not grid.difference(own)


def test_an_image_that_lies_another_way_is_turned_and_its_labels_turned_back():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, (4, 5, 6)).astype(np.uint8)
    grid = Geometry((6, 5, 4), (1.0, 2.0, 3.0), (0.0, 0.0, 0.0), (0.0, 0, -1.0, 1.0, 0, 0, 0, 1.0, 0))
    turned = monailabel.turned(labels[None].astype(np.float32), grid)
    assert sorted(turned.shape[1:]) == [4, 5, 6] and tuple(turned.shape[1:]) != (4, 5, 6)
    assert sorted(np.diag(turned.affine)[:3].tolist()) == [1.0, 2.0, 3.0]
    assert np.array_equal(monailabel.turned_back(turned.numpy()[0].astype(np.uint8), grid), labels)


# --------------------------------------------------------------------- runs


def test_every_arm_leaves_a_line_of_the_same_figures_and_none_is_done_twice(data, tmp_path, monkeypatch, capsys):
    out = tmp_path / "boxes.jsonl"
    words = ["--data", data, "--out", out, "--labelled", 1, "--seeds", 1, "--clock", "processor", "--device", "cpu"]
    words += ["--arms", "metassl,monailabel", "--minutes", "0.01", "--looks", ""]
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with trainings_in_this_process(monkeypatch) as launched:
        assert command(peers, *words) == 0
        first = out.read_bytes()
        assert command(peers, *words) == 0
    assert launched == [1] and out.read_bytes() == first
    found = read_runs(out)
    assert [run.arm for run in found] == ["metassl", "monailabel"]
    for known in found.values():
        assert set(known["cases"]) == {"case_4", "case_5"} and known["learnt_from"] == ["case_0"]
        assert known["looks"][-1]["dice"] == known["dice"] and known["looks"][-1]["steps"] == known["steps"] > 0
        assert known["threads"] == 1 and known["parameters"] > 1000 and "torch" in known["versions"]
    monai = found[Run("Task99_Boxes", "monailabel", 1, 0.01, "processor", 0)]
    assert len(monai["looks"]) == 1 and monai["seconds"] >= 0.6
    assert "| 1 | 0.01 | monailabel | 1 |" in page.tables(found)
    assert "metassl - monailabel" in capsys.readouterr().out


def test_a_peer_that_fails_is_named_with_its_log_and_the_others_go_on(experiment, tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text(
        '#!/bin/sh\n[ "$1" = -c ] && echo True && exit 0\necho "ValueError: too few cases"\nexit 1\n', encoding="utf-8"
    )
    python.chmod(0o700)
    compared = Peers(experiment, FEW, tmp_path / "out.jsonl", lambda *words: None, str(python))
    with trainings_in_this_process(monkeypatch):
        failed = compared.run()
    assert list(failed) == [FEW.runs()[0].key]
    assert "nnunet failed: ValueError: too few cases; see " in failed[FEW.runs()[0].key]
    assert [run.arm for run in compared.kept()] == ["supervised"]


def test_without_nnunet_it_is_said_before_any_work_what_to_install(data, tmp_path, monkeypatch):
    out = tmp_path / "out.jsonl"
    monkeypatch.setattr(runs, "has_package", lambda python, package: False)
    for module in (peers, adapt):
        more = ["--source-cases", 1] if module is adapt else []
        with pytest.raises(MetaSSLError, match="pip install nnunetv2"):
            command(module, "--data", data, "--out", out, "--labelled", 1, *more)
    assert not out.exists()


def test_a_python_is_asked_what_it_has():
    assert elsewhere.has_package(sys.executable, "torch") and not elsewhere.has_package(sys.executable, "no_such")
    with pytest.raises(MetaSSLError, match="cannot start"):
        elsewhere.has_package("/no/such/python", "torch")
    with pytest.raises(MetaSSLError, match="true does not answer as a Python would"):
        elsewhere.has_package("true", "nnunetv2")


def test_results_of_another_clock_or_source_are_not_gone_on_with(experiment, tmp_path):
    out = tmp_path / "out.jsonl"
    run = FEW.runs()[0]
    add_run(out, {**asdict(run), "cases": dict.fromkeys(experiment.test)})
    assert len(Peers(experiment, replace(FEW, arms=("nnunet",)), out, print).left()) == 0
    for other in (replace(FEW, clock="wall"), replace(FEW, data="Others")):
        with pytest.raises(MetaSSLError, match="another --clock"):
            Peers(experiment, other, out, print)


def test_the_network_of_an_arm_can_be_wider_or_have_a_level_at_full_resolution(experiment, monkeypatch):
    recipe = {"minutes": 0.005, "clock": "processor", "seed": 0, "device": "cpu"}
    with trainings_in_this_process(monkeypatch):
        found = ours.trained_here(experiment, "both", ["case_0"], "supervised-both", [], **recipe)
    plan = experiment.model(experiment.project.round(1)).plan
    assert plan.strides[0] == (1, 1, 1) and plan.filters[1] == 2 * plan.filters[0] and found["steps"] > 0
    pooled = replace(plan, patch_zyx=(16, 16, 16), strides=((2, 2, 2),) * len(plan.strides))
    assert ours.full(pooled).strides == ((1, 1, 1), *pooled.strides) and ours.full(plan) == plan
    assert ours.full(pooled).filters == (pooled.filters[0] // 2, *pooled.filters)
    assert ours.wide(pooled).filters == tuple(2 * filters for filters in pooled.filters)


def test_stopped_early_there_are_whole_comparisons_and_the_source_comes_first():
    settings = Settings("Boxes", ("metassl", "nnunet"), (1, 3), (4.0, 15.0), seeds=2)
    found = settings.runs()
    assert len(found) == len(set(found)) == 16 and [run.minutes for run in found] == [4.0] * 8 + [15.0] * 8
    assert [(run.seed, run.labelled, run.arm) for run in found[:3]] == [
        (0, 1, "metassl"),
        (0, 1, "nnunet"),
        (0, 3, "metassl"),
    ]
    shared = {**asdict(settings), "source": Source(20, 15.0)}
    adapted = AdaptSettings(**shared).runs()
    assert (adapted[0].arm, adapted[0].minutes, adapted[0].labelled) == ("source", 15.0, 0)
    assert len(adapted) == 17 and len({run.source for run in adapted}) == 1


def test_lengths_and_looks_are_read_or_refused():
    assert chosen_minutes("60,4,15,4") == (4.0, 15.0, 60.0) and chosen_looks("0.5,0.25") == (0.25, 0.5)
    assert chosen_looks("") == ()
    for read, wrong in ((chosen_minutes, "4,x"), (chosen_minutes, "0"), (chosen_looks, "1"), (chosen_looks, "half")):
        with pytest.raises(MetaSSLError, match=wrong):
            read(wrong)


def test_a_checkpoint_on_the_way_is_kept_and_gives_the_networks_of_then(experiment, tmp_path, monkeypatch):
    recipe = {"minutes": 0.02, "clock": "processor", "seed": 0, "device": "cpu"}
    with trainings_in_this_process(monkeypatch):
        found = ours.trained_here(experiment, "one", ["case_0"], "metassl", [0.001], **recipe)
    trained = experiment.project.round(1)
    looks = ours.Looks(trained, [0.001, 0.5], 0.02)
    looks.look()
    assert looks.path(0.001).exists() and looks.path(0.5).exists(), "the last checkpoint is later than both"
    model = ours.model_of_checkpoint(trained, looks.path(0.5), experiment.project.values)
    last = experiment.model(trained)
    assert model.step == last.step == found["steps"]
    for one, other in zip(model.networks, last.networks, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
