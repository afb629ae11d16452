"""A project that begins with a model: round 0 predicts without a label, and the next rounds go on from it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_output import run, run_json
from in_process import trainings_in_this_process
from metassl.exports import export_project
from metassl.imaging import Geometry, write_array
from metassl.inference.elsewhere.sources import read_source
from metassl.inference.model import ELSEWHERE, TrainedModel
from metassl.jobs.source_round import make_source_round
from metassl.jobs.start import WorkerPython, start_training
from metassl.networks.checkpoint import load_checkpoint
from metassl.networks.mixed import share_of
from metassl.project import Project
from metassl.training.bring_in import model_of
from metassl.training.loop import Trainer
from nnunet_folder import nnunet_folder

CPU = torch.device("cpu")
GRID = Geometry((16, 16, 8), (1.0, 1.0, 1.2), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
NAMES = ("a", "b", "c", "d")


@pytest.fixture
def images(tmp_path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    random = np.random.default_rng(0)
    for name in NAMES:
        array = random.normal(100, 10, GRID.shape_zyx).astype(np.float32)
        array[2:6, 5:11, 4:11] += 60
        write_array(folder / f"{name}.nrrd", array, GRID)
    return folder


@pytest.fixture
def nnunet(tmp_path) -> Path:
    return nnunet_folder(tmp_path / "nnUNetTrainer__nnUNetPlans__3d_fullres")


def label_of(value: int = 1) -> np.ndarray:
    label = np.zeros(GRID.shape_zyx, np.uint8)
    label[2:6, 5:11, 4:11] = value
    return label


def test_without_any_label_all_cases_are_predicted_and_ranked_and_the_next_round_goes_on(
    capsys, monkeypatch, tmp_path, images, nnunet
):
    path = tmp_path / "project"
    made = run_json(capsys, "new", path, "--from", images, "--model", nnunet)
    assert made["labels"] == {"Anterior": 1, "Posterior": 2} and made["model"] == [str(nnunet)]
    shutil.rmtree(nnunet)  # the project has it from now on
    project = Project.open(path)
    with trainings_in_this_process(monkeypatch) as launched:
        code, out, _ = run(capsys, "predict", path)
        assert code == 0 and "round 0000 finished" in out and launched == [0]
        zero = project.round(0)
        assert zero.predicted_cases() == list(NAMES)
        assert len(json.loads(zero.ranking_path.read_text(encoding="utf-8"))["cases"]) == 4
        assert not zero.error_rates_path.exists(), "nothing was measured yet"
        summary = json.loads(zero.prediction("a").summary.read_text(encoding="utf-8"))
        assert summary["error_rates"] is None and sum(summary["voxels"].values()) == np.prod(GRID.shape_zyx)
        again = run_json(capsys, "predict", path, "--cases", "b")
        assert list(again["predicted"]) == ["b"] and launched == [0], "with the same model, without another job"

        project.add_label("a", (label_of(), GRID), state="corrected")
        run_json(capsys, "train", path, "--iterations", 2, "--device", "cpu")
    first = project.round(1)
    assert launched == [0, 1] and first.record["parent"] == 0 and not first.has_source
    trained, source = (TrainedModel.load(found.model_path, CPU) for found in (first, zero))
    assert trained.plan.given == source.plan.given and trained.plan.batch == (1, 1)
    assert (trained.framework, source.framework, trained.step) == ("cps", ELSEWHERE, 2)
    assert far_from(trained, source) < 0.1, "two steps from where it began"
    came_to = load_checkpoint(first.last_checkpoint_path)["framework"]
    for name, weights in trained.networks[0].state_dict().items():
        before, after = source.networks[0].state_dict()[name], came_to[f"averages.0.{name}"]
        torch.testing.assert_close(weights, before + share_of(2) * (after - before))
    assert load_checkpoint(first.last_checkpoint_path)["brought"] is True, "for a training that is stopped"
    events = first.events_path.read_text(encoding="utf-8")
    assert "starting afresh" not in events
    assert first.error_rates_path.exists(), "the correction of its own first prediction is its first measure"


def test_a_model_with_a_new_structure_goes_all_the_way(capsys, monkeypatch, tmp_path, images, nnunet):
    path = tmp_path / "project"
    run(capsys, "new", path, "--from", images, "--model", nnunet, "--structures", "Anterior", "Rim")
    Project.open(path).add_label("a", (label_of(), GRID))
    with trainings_in_this_process(monkeypatch):
        run(capsys, "train", path, "--iterations", 2, "--device", "cpu")
    found = Project.open(path).round(1)
    came_to, trained = (
        load_checkpoint(found.last_checkpoint_path)["framework"],
        TrainedModel.load(found.model_path, CPU),
    )
    for name, weights in trained.networks[0].state_dict().items():
        assert torch.equal(weights, came_to[f"averages.0.{name}"]), name


def test_train_trains_also_where_the_model_that_the_project_began_with_has_not_predicted_yet(
    capsys, monkeypatch, tmp_path, images, nnunet
):
    path = tmp_path / "project"
    run(capsys, "new", path, "--from", images, "--model", nnunet)
    project = Project.open(path)
    project.add_label("a", (label_of(), GRID))
    with trainings_in_this_process(monkeypatch) as launched:
        code, out, _ = run(capsys, "train", path, "--iterations", 2, "--device", "cpu")
    assert code == 0 and launched == [0, 1] and project.round(1).record["config"]["iterations"] == 2
    assert "round 0001 begins, from the model of round 0" in out


def far_from(one: TrainedModel, other: TrainedModel) -> float:
    pairs = zip(one.networks[0].parameters(), other.networks[0].parameters(), strict=True)
    return max(float((a - b).detach().abs().max()) for a, b in pairs)


def softmax_of(model: TrainedModel, image: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model.networks[0](image).softmax(1)


def test_kept_structures_are_as_sure_as_before_others_are_background_and_new_ones_wait(
    capsys, tmp_path, images, nnunet
):
    path = tmp_path / "project"
    made = run_json(capsys, "new", path, "--from", images, "--model", nnunet, "--structures", "posterior", "Cyst")
    assert made["labels"] == {"Posterior": 2, "Cyst": 3}
    model, source = model_of(Project.open(path), Project.open(path).round(0)), read_source([nnunet], CPU)
    assert model.values == [0, 2, 3]
    image = torch.randn(1, 1, 8, 16, 16)
    ours, theirs = softmax_of(model, image), softmax_of(source, image)
    assert torch.allclose(ours[:, 1] / (1 - ours[:, 2]), theirs[:, 2], atol=1e-6)
    assert torch.allclose(ours[:, 2], 0.01 * theirs[:, 0] / (1 + 0.01 * theirs[:, 0]), atol=1e-6)
    later = model.with_outputs_of([0, 2, 3, 4])
    assert later.plan.given.outputs == (0, 0, 1, 2, 3) and later.values == [0, 2, 3, 4]
    assert torch.allclose(softmax_of(later, image)[:, 1:3].sum(1), ours[:, 1:3].sum(1), atol=2e-2)


def test_the_labels_of_the_folder_are_taken_by_the_names_of_the_model(capsys, tmp_path, nnunet):
    folder = tmp_path / "decathlon"
    for part in ("imagesTr", "labelsTr"):
        (folder / part).mkdir(parents=True)
    for name in NAMES:
        image = np.random.default_rng(0).normal(100, 10, GRID.shape_zyx).astype(np.float32)
        write_array(folder / "imagesTr" / f"{name}.nii.gz", image, GRID)
        write_array(folder / "labelsTr" / f"{name}.nii.gz", label_of(2), GRID)
    described = {
        "labels": {"0": "background", "1": "posterior", "2": "ANTERIOR"},
        "modality": {"0": "MRI"},
        "training": [{"image": f"imagesTr/{n}.nii.gz", "label": f"labelsTr/{n}.nii.gz"} for n in NAMES],
    }
    (folder / "dataset.json").write_text(json.dumps(described), encoding="utf-8")
    made = run_json(capsys, "new", tmp_path / "project", "--from", folder, "--model", nnunet, "--labelled", 1)
    assert made["labels"] == {"Anterior": 1, "Posterior": 2}
    label, _ = Project.open(tmp_path / "project").read_label("a")
    assert set(np.unique(label)) == {0, 1}, "ANTERIOR is 2 in the files and 1 in the model"


def test_what_cannot_be_used_makes_no_project_and_says_why(capsys, tmp_path, images, nnunet):
    def refused(*words: object) -> str:
        code, _, error = run(capsys, "new", tmp_path / "project", "--from", images, *words)
        assert code and not (tmp_path / "project" / "project.json").exists()
        assert not (tmp_path / "project" / "rounds").exists()
        return error

    assert "holds no model: give the folder of a model of nnU-Net" in refused("--model", images)
    assert "knows none of Liver, but Anterior, Posterior" in refused("--model", nnunet, "--structures", "Liver")
    assert "--structures goes with --model" in refused("--structures", "Liver")
    two = nnunet_folder(tmp_path / "two", channels=("T1", "T2"))
    assert "the images have 1 channel(s), image, and the model needs 2: T1, T2" in refused("--model", two)
    other = nnunet_folder(tmp_path / "other", labels={"background": 0, "Liver": 1})
    assert "segment other structures: 1=Anterior, 2=Posterior, and 1=Liver" in refused("--model", nnunet, other)
    wide = nnunet_folder(tmp_path / "wide", spacing=[2.0, 2.0, 2.0])
    assert "have other networks, spacings or intensities" in refused("--model", nnunet, wide)
    (nnunet / "fold_1" / "checkpoint_final.pth").write_bytes(b"no checkpoint")
    assert "fold_1/checkpoint_final.pth cannot be read" in refused("--model", nnunet)


def test_folds_that_are_not_used_are_named(capsys, tmp_path, images):
    five = nnunet_folder(tmp_path / "five", folds=("0", "1", "2", "all"))
    other = nnunet_folder(tmp_path / "other", folds=("0",))
    _, _, error = run(capsys, "new", tmp_path / "one", "--from", images, "--model", five)
    assert f"warning: {five}: fold_0 and fold_1 are used, fold_2, fold_all not: a model has two networks" in error
    _, _, error = run(capsys, "new", tmp_path / "pair", "--from", images, "--model", five, other)
    assert f"warning: {five}: fold_0 is used, fold_1, fold_2, fold_all not" in error and f"{other}:" not in error
    (five / "dataset.json").unlink()
    code, _, error = run(capsys, "new", tmp_path / "half", "--from", images, "--model", five)
    assert code == 2 and "it needs plans.json and dataset.json beside its folds" in error


def test_two_models_give_a_network_each(capsys, tmp_path, images, nnunet):
    other = nnunet_folder(tmp_path / "other", folds=("3",))
    run_json(capsys, "new", tmp_path / "project", "--from", images, "--model", nnunet, other)
    project = Project.open(tmp_path / "project")
    pair = model_of(project, project.round(0)).networks
    for network, folder in zip(pair, (nnunet, other), strict=True):
        alone = read_source([folder], CPU).networks[0]
        assert all(torch.equal(a, b) for a, b in zip(network.parameters(), alone.parameters(), strict=True))


def test_a_project_of_ours_a_round_of_one_and_a_bundle_are_models_too(capsys, monkeypatch, tmp_path, images, nnunet):
    first = tmp_path / "first"
    run_json(capsys, "new", first, "--from", images, "--labels", "4=Organ")
    project = Project.open(first)
    project.add_label("a", (label_of(4), GRID))
    with trainings_in_this_process(monkeypatch):
        run_json(capsys, "train", first, "--iterations", 2, "--device", "cpu")
    export_project(project, tmp_path / "bundle", format="bundle")
    own = TrainedModel.load(project.round(1).model_path, CPU)
    for number, source in enumerate((first, first / "rounds" / "0001", tmp_path / "bundle")):
        path = tmp_path / f"next_{number}"
        made = run_json(capsys, "new", path, "--from", images, "--model", source)
        assert made["labels"] == {"Organ": 4}
        model = TrainedModel.load(Project.open(path).round(0).model_path, CPU)
        assert model.plan == own.plan and model.error_model is None and model.step == 0
        assert far_from(model, own) == 0
    with trainings_in_this_process(monkeypatch):
        assert run(capsys, "predict", tmp_path / "next_2")[0] == 0
    assert Project.open(tmp_path / "next_2").round(0).predicted_cases() == list(NAMES)


def test_a_training_that_goes_on_from_a_model_resumes_to_the_bit(capsys, monkeypatch, tmp_path, images, nnunet):
    projects = [tmp_path / "whole", tmp_path / "stopped"]
    for path in projects:
        run_json(capsys, "new", path, "--from", images, "--model", nnunet)
        Project.open(path).add_label("a", (label_of(), GRID))
    words = "--iterations", 4, "--device", "cpu", "--new-round"
    step = Trainer.train_step

    def stopped_after_two(self, batch):
        if self.step == 1:
            (self.checkpoint_path.parents[1] / "stop").touch()
        return step(self, batch)

    with trainings_in_this_process(monkeypatch):
        run_json(capsys, "train", projects[0], *words)
        monkeypatch.setattr(Trainer, "train_step", stopped_after_two)
        run(capsys, "train", projects[1], *words)
        monkeypatch.setattr(Trainer, "train_step", step)
        stopped = Project.open(projects[1]).round(1)
        assert load_checkpoint(stopped.last_checkpoint_path)["step"] == 2
        stopped.stop_path.unlink()
        run_json(capsys, "train", projects[1])
    whole, again = (TrainedModel.load(Project.open(path).round(1).model_path, CPU) for path in projects)
    assert again.step == whole.step == 4 and far_from(whole, again) == 0


@pytest.mark.skipif(shutil.which("true") is None, reason="there is no program that does nothing")
def test_how_many_are_predicted_and_on_what_is_chosen_when_it_begins(tiny_project, tmp_path):
    make_source_round(tiny_project, [tmp_path], {})
    idle = WorkerPython(shutil.which("true"), {})
    assert start_training(tiny_project, predict=20, device="cpu", minutes=4, quality="fast", python=idle).number == 0
    config = Project.open(tiny_project.path).latest_round().record["config"]
    assert (config["predict"], config["device"], config["minutes"]) == (20, "cpu", None)
    found = start_training(tiny_project, python=idle)
    assert (found.record["config"]["predict"], found.record["config"]["device"]) == (None, "cpu")
