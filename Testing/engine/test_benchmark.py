"""`metassl benchmark` from end to end: real trainings on six tiny cases."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from in_process import trainings_in_this_process
from machine import PATIENCE_S
from metassl.cli import main
from metassl.evaluation.metrics import case_metrics
from metassl.imaging import read_labels
from metassl.networks.checkpoint import load_checkpoint
from metassl.project import Project
from metassl_research.benchmark.plan import Run
from metassl_research.experiment import Experiment
from metassl_research.label_noise import noisy_cases, wrong_annotation


@pytest.fixture
def data(decathlon: Path) -> Path:
    """Three cases to train on, one to validate, two to test."""
    names = [f"case_{number}" for number in range(6)]
    split = {"train_order": names[:3], "val": names[3:4], "test": names[4:]}
    (decathlon / "splits.json").write_text(json.dumps(split), encoding="utf-8")
    return decathlon


def words(data: Path, out: Path, *more: str) -> list[str]:
    recipe = ["--labelled", "1", "--frameworks", "mt", "--seeds", "1", "--iterations", "2", "--device", "cpu"]
    return ["benchmark", "--data", str(data), "--out", str(out), *recipe, *more]


def killed_after_the_first_run(command: list[str], out: Path) -> None:
    process = subprocess.Popen([sys.executable, "-m", "metassl", *command], stderr=subprocess.DEVNULL)
    end = time.monotonic() + PATIENCE_S
    while not out.exists() and time.monotonic() < end:
        assert process.poll() is None, "the benchmark ended before its first run"
        time.sleep(0.02)
    process.kill()
    process.wait()


def test_a_killed_benchmark_goes_on_and_more_can_be_added(data, tmp_path, capsys, monkeypatch):
    out = tmp_path / "run.json"
    killed_after_the_first_run(words(data, out, "--losses", "plain"), out)
    first = json.loads(out.read_text("utf-8"))["runs"][0]
    assert (first["framework"], first["loss"], first["labelled"]) == ("supervised", "plain", 1)

    with trainings_in_this_process(monkeypatch):
        assert main(words(data, out, "--losses", "plain")) == 0
        told = capsys.readouterr()
        assert "[3/3] seed 0, 1 labelled, mt plain: Dice" in told.err and "left" in told.err
        content = json.loads(out.read_text("utf-8"))
        assert content["runs"][0] == first
        assert [(run["framework"], run["labelled"]) for run in content["runs"]] == [
            ("supervised", 1),
            ("supervised", 3),
            ("mt", 1),
        ]
        project = Project.open(tmp_path / "run")
        assert len(project.rounds()) == 3, "a training was done twice"

        assert main(words(data, out, "--losses", "metassl", "--noisy", "0.3")) == 0
        content = json.loads(out.read_text("utf-8"))
        assert content["settings"]["losses"] == ["plain", "metassl"] and content["settings"]["noisy"] == 0.3
        clean, noisy = content["runs"][3:]
        assert (clean["loss"], clean["noisy"], noisy["loss"], noisy["noisy"]) == ("metassl", None, "metassl", 0.3)
        assert "metassl - plain" in capsys.readouterr().out
        assert out.with_suffix(".md").exists() and out.with_suffix(".svg").exists()

        before = out.read_text("utf-8")
        assert main(words(data, out, "--iterations", "3")) == 2
        assert "--iterations 3 (it has 2)" in capsys.readouterr().err
        assert out.read_text("utf-8") == before and len(project.rounds()) == 5

    experiment = Experiment.open(tmp_path / "run", data)
    for run in content["runs"]:
        what_is_kept_of_a_run_is_true(experiment, run, content["cases"]["test"])
    the_noisy_run_learnt_from_a_wrong_annotation(experiment, noisy)


def what_is_kept_of_a_run_is_true(experiment: Experiment, run: dict, test: list[str]) -> None:
    found = experiment.round(run["round"])
    state = load_checkpoint(found.last_checkpoint_path)
    key = Run(run["framework"], run["loss"], run["labelled"], run["seed"], run["noisy"]).key
    assert found.record["experiment"] == key and found.record["config"]["iterations"] == 2
    assert list(found.record["labels"]) == run["cases"] == experiment.train_order[: run["labelled"]]
    assert run["steps"] == state["step"] == 2 and run["seconds"] == pytest.approx(state["elapsed"], abs=0.1)
    assert run["threads"] >= 1 and run["device"] and run["versions"]["torch"]
    assert not set(test) & {*found.record["labels"], *found.record["validation"], *found.record["unlabelled"]}
    assert set(run["last"]["cases"]) == set(test) and set(run["last"]["regions"]) == {"UC", "US", "DC", "DS"}
    assert run["best"]["step"] in (1, 2)
    for model in ("last", "best"):
        rows = []
        for case, prediction in experiment.predictions(found, test, best=model == "best"):
            truth, grid = read_labels(experiment.truth(case), case)
            rows.append(case_metrics(prediction.segmentation, truth, grid.spacing_zyx, experiment.labels))
        for name in ("Front", "Back"):
            expected = sum(row[name]["dice"] for row in rows) / len(rows)
            assert run[model]["dice"]["per_class"][name] == pytest.approx(expected)
            distances = [row[name]["assd_mm"] for row in rows if row[name]["assd_mm"] == row[name]["assd_mm"]]
            assd = run[model]["assd_mm"]["per_class"][name]
            assert assd == (pytest.approx(sum(distances) / len(distances)) if distances else None)


def the_noisy_run_learnt_from_a_wrong_annotation(experiment: Experiment, run: dict) -> None:
    assert run["noisy_cases"] == noisy_cases(["case_0"], 0.3, 0) and list(run["noisy_cases"]) == ["case_0"]
    project, true = experiment.project, experiment.known.versions["case_0"]
    version = experiment.round(run["round"]).record["labels"]["case_0"]
    label, geometry = project.read_label("case_0", true)
    expected = wrong_annotation(label, geometry.spacing_zyx, run["noisy_cases"]["case_0"], 0)
    assert version != true and (project.read_label("case_0", version)[0] == expected).all()
    assert project.case("case_0").label_version == true, "the project keeps the true annotation"


def test_what_cannot_be_done_is_said_before_any_work(data, tmp_path, capsys):
    out = tmp_path / "run.json"
    for more, said in (
        (["--frameworks", "unet"], "there is no framework unet"),
        (["--labelled", "9"], "--labelled 9 is more than the 3 training cases"),
        (["--out", str(tmp_path / "run.txt")], "does not end in .json"),
        (["--table"], "is missing"),
    ):
        assert main(words(data, out, *more)) == 2
        assert said in capsys.readouterr().err
    assert not out.exists()


def test_data_without_a_split_are_asked_about_before_any_training(decathlon, tmp_path, capsys):
    words = ["benchmark", "--data", str(decathlon), "--out", str(tmp_path / "r.json"), "--labelled", "1"]
    assert main([*words, "--iterations", "2", "--frameworks", "mt", "--seeds", "1"]) == 2
    told = capsys.readouterr().err
    assert "has no splits.json" in told and "agree with --yes" in told and not (tmp_path / "r.json").exists()
