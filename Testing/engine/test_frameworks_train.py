"""Every framework through `metassl train`, from the command line to the predictions; what it may be called."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import metassl
import pytest
import SimpleITK as sitk
import torch
from in_process import trainings_in_this_process
from machine import PATIENCE_S
from metassl.choices.defaults import DEFAULTS
from metassl.choices.frameworks import FRAMEWORK_CATALOG, FRAMEWORKS, LOSSES
from metassl.cli import main
from metassl.inference.model import TrainedModel
from metassl.jobs import read_events
from metassl.networks.checkpoint import load_checkpoint
from MetaSSLSlicerLib.Logic.Training import TrainingOptions

ENGINE = Path(metassl.__file__).parents[1]


@pytest.fixture
def in_this_process(monkeypatch):
    with trainings_in_this_process(monkeypatch):
        yield


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_round_of_every_framework_ends_with_a_calibrated_model_and_predictions(
    framework, tiny_project, in_this_process
):
    words = ["--framework", framework, "--iterations", "10", "--device", "cpu"]
    assert main(["train", str(tiny_project.path), *words]) == 0
    found = tiny_project.latest_round()
    assert found.record["config"]["framework"] == framework and found.record["config"]["loss"] == "metassl"
    assert load_checkpoint(found.last_checkpoint_path)["step"] == 10
    model = TrainedModel.load(found.model_path, torch.device("cpu"))
    assert (model.framework, model.step, model.values) == (framework, 10, [0, 1, 2])
    assert model.thresholds.shape == (2, 2, 3) and (model.thresholds > 0).all() and (model.thresholds < 1).all()
    assert found.predicted_cases() == ["case_3", "case_4", "case_5"] and found.ranking_path.exists()
    image = sitk.ReadImage(str(tiny_project.image_paths("case_3")[0]))
    assert sitk.ReadImage(str(found.prediction("case_3").regions)).GetSize() == image.GetSize()
    scores = [event.dice["mean"] for event in read_events(found.events_path) if event.event == "validation"]
    assert scores and all(score is not None and 0 <= score <= 1 for score in scores)


def test_the_panel_offers_what_the_command_line_does():
    assert tuple(TrainingOptions.frameworkTexts()) == FRAMEWORKS and tuple(TrainingOptions.lossTexts()) == LOSSES
    chosen = TrainingOptions.TrainingOptions()
    assert (chosen.framework, chosen.loss) == (DEFAULTS["framework"], DEFAULTS["loss"])


@pytest.mark.parametrize("framework", FRAMEWORK_CATALOG, ids=FRAMEWORKS)
def test_a_framework_is_described_in_one_line_with_the_year_of_its_paper(framework):
    assert framework.citation.endswith(tuple(f" {year}" for year in range(2015, 2027)))
    assert all(text and "\n" not in text for text in framework.to_json().values())


@pytest.mark.parametrize("words", [["frameworks"], ["frameworks", "--json"], ["train", "--help"]], ids=" ".join)
def test_frameworks_are_named_where_there_is_no_torch(words):
    code = "import sys; sys.modules.update(torch=None, monai=None); from metassl.cli import main; "
    code += f"sys.exit(main({words}))"
    environment = {**os.environ, "PYTHONPATH": str(ENGINE)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in FRAMEWORKS)
