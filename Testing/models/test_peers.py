"""nnU-Net beside ours: its trainings for so many minutes, stopped and gone on with, and a model of another scanner."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from metassl_research.experiment import Experiment
from metassl_research.peers.adapt import Adaptation
from metassl_research.peers.runs import Peers, read_runs
from metassl_research.peers.settings import AdaptSettings, Settings, Source

if importlib.util.find_spec("nnunetv2") is None:
    pytest.skip("nnunetv2 is not installed: make model-test", allow_module_level=True)

IMAGES = Path(__file__).parents[3] / "shared" / "data" / "Task04_Hippocampus"
SHORT = {"seeds": 1, "clock": "processor", "device": "cpu", "looks": ()}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four hippocampi to train on and two to test."""
    if not IMAGES.is_dir():
        pytest.skip(f"the real images are not here: {IMAGES}")
    folder = tmp_path / "Hippocampi"
    description = json.loads((IMAGES / "dataset.json").read_text("utf-8"))
    names = [path.name.removesuffix(".nii.gz") for path in sorted((IMAGES / "labelsTr").glob("hippocampus_*"))[:6]]
    for kind in ("imagesTr", "labelsTr"):
        (folder / kind).mkdir(parents=True)
        for name in names:
            (folder / kind / f"{name}.nii.gz").symlink_to(IMAGES / kind / f"{name}.nii.gz")
    description["training"] = [
        {"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"} for name in names
    ]
    split = {"train_order": names[:4], "val": [], "test": names[4:]}
    for file, content in (("dataset.json", {**description, "test": []}), ("splits.json", split)):
        (folder / file).write_text(json.dumps(content), encoding="utf-8")
    return folder


@pytest.fixture
def experiment(data: Path, tmp_path: Path) -> Experiment:
    return Experiment.open(tmp_path / "work", data, validate=False)


def test_nnunet_trains_for_its_minutes_and_is_measured_as_ours(experiment, tmp_path):
    settings = Settings("Hippocampi", ("nnunet", "nnunet-1000"), (2,), (0.1,), **SHORT)
    compared = Peers(experiment, settings, tmp_path / "out.jsonl", print)
    assert not compared.run()
    for run, found in compared.kept().items():
        assert found["steps"] > 0 and 6 <= found["seconds"] < 30 and found["threads"] >= 1
        assert set(found["cases"]) == set(experiment.test) and "nnunetv2" in found["versions"]
        log = (compared.folder(run) / "log.txt").read_text("utf-8")
        assert "'patch_size': [40, 56, 40]" in log and "Training done" in log


def test_a_training_of_nnunet_that_was_stopped_goes_on(data, tmp_path):
    out = tmp_path / "out.jsonl"
    words = ["--data", data, "--out", out, "--arms", "nnunet", "--labelled", 2, "--seeds", 1, "--minutes", 0.3]
    words += ["--clock", "processor", "--device", "cpu", "--looks", 0.1]
    command = [sys.executable, "-m", "metassl", "peers", *map(str, words)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, encoding="utf-8")

    def states() -> list[Path]:
        return list(out.with_suffix("").glob("peers/*/state.pt"))

    while not states() and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    told = process.communicate()[1]
    assert process.returncode == 130 and not out.exists(), told
    assert len(states()) == 1
    assert subprocess.run(command).returncode == 0
    (found,) = read_runs(out).values()
    first, last = found["looks"]
    assert first["steps"] < last["steps"] and first["seconds"] < last["seconds"] < 40
    assert not states()


def test_a_model_of_another_scanner_is_finetuned_by_nnunet_and_by_ours(experiment, tmp_path):
    settings = AdaptSettings(
        "Hippocampi", ("nnunet-finetuned", "metassl"), (1,), (0.1,), source=Source(2, 0.1), **SHORT
    )
    compared = Adaptation(experiment, settings, tmp_path / "out.jsonl", print)
    assert not compared.run()
    arms = {run.arm: found for run, found in compared.kept().items()}
    assert list(arms) == ["source", "nnunet-finetuned", "metassl"]
    plans = json.loads((compared.model_folder / "plans.json").read_text("utf-8"))
    spacing = plans["configurations"]["3d_fullres"]["spacing"]
    assert spacing == pytest.approx([1.8, 1.2, 1.2], rel=0.1), "the other scanner's"
    shared = {*arms["source"]["learnt_from"]} & {*arms["metassl"]["learnt_from"], *experiment.train_order}
    assert not shared and len(experiment.train_order) == 2
    tuned = next(run for run in compared.kept() if run.arm == "nnunet-finetuned")
    log = (compared.folder(tuned) / "log.txt").read_text("utf-8")
    assert "Loading pretrained weights from file" in log and str(compared.model_folder) in log
    trained = experiment.project.round(1).record
    assert trained["parent"] == 0 and experiment.project.round(0).has_source
    assert not {*trained["unlabelled"]} & {*arms["source"]["learnt_from"]}
