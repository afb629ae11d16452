"""`metassl uncertainty`: every method on the same cases, against the same segmentation."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from metassl.cli import main
from metassl.inference.model import TrainedModel
from metassl.networks.unet import build_network
from metassl.project import LabelDefinition
from metassl_research.uncertainty.compare import Comparison
from metassl_research.uncertainty.methods import ONE_NETWORK, UNCERTAINTY, Score
from metassl_research.uncertainty.passes import FLIPS, DropoutPass, FlippedPass

NAMES = [
    "entropy of the pair's mean",
    "mutual information of the pair",
    "region map, entropy within",
    "entropy of one network",
    "MC dropout, 10 passes",
    "test-time augmentation, 8 flips",
]


def random_model(plan, seed: int, values=(0, 1, 2)) -> TrainedModel:
    torch.manual_seed(seed)
    networks = (build_network(plan).eval(), build_network(plan).eval())
    return TrainedModel(networks, plan, torch.full((2, 3), 0.45), list(values), "cps", 7, torch.device("cpu"))


@pytest.fixture
def trained(tiny_project, tiny_plan):
    """A project with a round whose model is random."""
    found = tiny_project.new_round({"labels": {}, "config": {}, "versions": {}})
    random_model(tiny_plan(), 0).save(found.model_path)
    return tiny_project


def test_the_command_compares_all_methods_and_keeps_the_figures(trained, tiny_plan, decathlon, tmp_path, capsys):
    other = tmp_path / "other.pt"
    random_model(tiny_plan(spacing_zyx=(2.0, 1.0, 1.0)), 1).save(other)
    out = tmp_path / "uncertainty.json"
    words = ["uncertainty", trained.path, "--truth", decathlon / "labelsTr", "--second", other, "--out", out]
    assert main([*map(str, words), "--device", "cpu", "--json"]) == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    rows = {row["name"]: row for row in result["methods"]}
    assert list(rows) == [*NAMES, "deep ensemble of 2"]
    assert [row["passes"] for row in result["methods"]] == [2, 2, 2, 1, 10, 8, 2]
    assert len({(row["voxels"], row["errors"]) for row in result["methods"]}) == 1, "all see the same errors"
    assert rows["mutual information of the pair"]["ece"] is None
    assert all(row["auroc_interval"][0] <= row["auroc"] <= row["auroc_interval"][1] for row in result["methods"])
    assert all(0 <= row["auroc"] <= 1 and row["ece_calibrated"] is not None for row in result["methods"])
    assert rows[NAMES[0]]["dice"] == rows[NAMES[1]]["dice"] and len(result["cases"]) == 3
    assert json.loads(out.read_text("utf-8"))["methods"] == result["methods"]
    assert "errors in top 1/5/10/15 %" in printed.err and "P(error)" in printed.err


def test_cases_that_were_trained_on_are_left_out(trained, tiny_plan, decathlon, capsys):
    known = list(trained.cases)[1:]
    found = trained.new_round({"labels": dict.fromkeys(known, "a" * 64), "config": {}, "versions": {}})
    random_model(tiny_plan(), 0).save(found.model_path)
    words = ["uncertainty", str(trained.path), "--truth", str(decathlon / "labelsTr"), "--cases", "all"]
    assert main([*words, "--device", "cpu", "--json"]) == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert (result["cases"], result["trained_on"]) == ([list(trained.cases)[0]], known)
    assert "left out here" in printed.err


def test_a_folder_that_is_not_there_is_told_before_the_work(trained, decathlon, tmp_path, capsys):
    out = tmp_path / "gone" / "uncertainty.json"
    assert main(["uncertainty", str(trained.path), "--truth", str(decathlon / "labelsTr"), "--out", str(out)]) == 2
    printed = capsys.readouterr()
    assert f"there is no folder {out.parent}" in printed.err and "comparing" not in printed.err


def test_without_a_second_model_there_is_no_ensemble(trained, decathlon, capsys):
    assert main(["uncertainty", str(trained.path), "--truth", str(decathlon / "labelsTr"), "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)["methods"]] == NAMES


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--second", "nowhere.pt"], "there is no model nowhere.pt"),
        (["--second", "9"], "round"),
        (["--cases", "test"], "no true annotation of the test cases"),
    ],
)
def test_wrong_use_is_told_in_one_line(trained, decathlon, capsys, words, told):
    assert main(["uncertainty", str(trained.path), "--truth", str(decathlon / "labelsTr"), *words]) == 2
    message = capsys.readouterr().err
    assert told in message and message.count("\n") == 1


def test_a_second_model_with_other_labels_is_refused(trained, tiny_plan, decathlon, tmp_path, capsys):
    random_model(tiny_plan(), 1, (0, 1, 5)).save(tmp_path / "other.pt")
    words = ["uncertainty", trained.path, "--truth", decathlon / "labelsTr", "--second", tmp_path / "other.pt"]
    assert main([*map(str, words)]) == 2
    assert "other labels or channels" in capsys.readouterr().err


def test_a_damaged_image_is_named_and_the_rest_go_on(trained, decathlon, capsys):
    trained.image_paths("case_3")[0].write_bytes(b"no image")
    assert main(["uncertainty", str(trained.path), "--truth", str(decathlon / "labelsTr"), "--json"]) == 1
    result = json.loads(capsys.readouterr().out)
    assert list(result["failed"]) == ["case_3"] and result["cases"] == ["case_4", "case_5"]


def test_passes_mirror_back_and_drop_other_channels_each_time(tiny_plan):
    torch.manual_seed(0)
    network = build_network(tiny_plan()).eval()
    images = torch.randn(1, 1, 16, 16, 16)
    assert len(set(FLIPS)) == 8

    class Position(torch.nn.Module):
        def forward(self, images):
            return images + torch.arange(16.0)

    found = FlippedPass(Position(), (4,))(images)
    assert torch.allclose(found, images + torch.arange(16.0).flip(0))
    one, two = (DropoutPass(network)(images) for _ in range(2))
    assert one.shape == (1, 3, 16, 16, 16) and not torch.equal(one, two)
    assert torch.allclose(DropoutPass(network, 0.0)(images), network(images), atol=1e-5)


def test_a_score_is_measured_on_the_shown_segmentation_and_dice_on_its_own():
    class Shown:
        segmentation = np.zeros((9, 9, 9), np.uint8)
        regions = np.ones((9, 9, 9), np.uint8)
        uncertainty = np.zeros((9, 9, 9), np.float32)

    truth = np.zeros((9, 9, 9), np.uint8)
    Shown.segmentation[3:6, 3:6, 3:6], truth[3:6, 3:6, 2:6] = 1, 1
    good = np.where(Shown.segmentation != truth, 0.9, 0.1).astype(np.float32)
    comparison = Comparison([LabelDefinition(1, "A")])
    found = {UNCERTAINTY: Score(good, Shown.segmentation, 1.0), ONE_NETWORK: Score(1 - good, truth, 0.5)}
    comparison.add("a", Shown, found, truth)
    first, second = comparison.result()["methods"]
    assert (first["auroc"], second["auroc"]) == (1.0, 0.0) and first["errors"] == second["errors"] == 9
    assert second["dice"]["mean"] == 1.0 and first["dice"]["mean"] == pytest.approx(2 * 27 / (27 + 36))
