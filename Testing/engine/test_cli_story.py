"""The loop on six small cases with the real engine: every command after the other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import metassl
import pytest
from machine import PATIENCE_S
from metassl.cli import main
from metassl.project import Project


@pytest.fixture
def call(capsys):
    """call(words) -> the JSON object of a command that must succeed."""

    def run(*words: object) -> dict:
        capsys.readouterr()
        code = main([str(word) for word in (*words, "--json")])
        printed = capsys.readouterr()
        assert code == 0, printed.err
        return json.loads(printed.out)

    return run


def test_the_whole_loop_from_a_folder_of_images_to_the_second_round(call, decathlon, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    truth, path = decathlon / "labelsTr", tmp_path / "project"
    call("new", path, "--from", decathlon, "--labelled", 2, "--validation", 1)

    first = call("train", path, "--iterations", 4, "--device", "cpu", "--seed", 3)
    assert (first["round"], first["state"], first["device"]) == (1, "finished", "cpu")
    assert first["predicted"] == 3
    assert first["validation"]["dice"]["per_class"].keys() == {"Front", "Back"}

    status = call("status", path)
    assert status["round"]["plan"]["summary"]
    assert status["cases"]["pool"] == {"labelled": 2, "predicted": 3}

    kept, own = path / "rounds" / "0001" / "ranking.json", call("rank", path)
    before = kept.read_bytes()
    assert own["strategy"] == "combined" and call("rank", path, "--strategy", "random")["strategy"] == "random"
    assert kept.read_bytes() == before and call("status", path) == status, "a look changes nothing"
    assert (
        call("rank", path, "--strategy", "entropy", "--keep")["strategy"] == "entropy" and kept.read_bytes() != before
    )
    ranking = call("rank", path)
    assert ranking["strategy"] == "entropy"
    assert {entry["case"] for entry in ranking["cases"]} == {"case_3", "case_4", "case_5"}
    assert status["next_case"]["case"] in {"case_3", "case_4", "case_5"}

    measured = call("evaluate", path, "--truth", truth)
    assert measured["group"] == "unlabelled"
    assert measured["n_cases"] == 3
    assert 0 <= measured["dice"]["mean"] <= 1
    assert measured["dice"]["per_class"].keys() == {"Front", "Back"}
    assert measured["regions"].keys() == {"UC", "US", "DC", "DS"}
    assert {"error_rate", "share_of_errors"} <= measured["regions"]["UC"].keys()
    assert "auroc" in measured["uncertainty"]

    own = call("evaluate", path)
    assert (own["group"], list(own["cases"])) == ("validation", ["case_2"])

    chosen = tmp_path / "chosen.txt"
    chosen.write_text("case_4\n", encoding="utf-8")
    assert list(call("evaluate", path, "--truth", truth, "--cases", chosen)["cases"]) == ["case_4"]
    kept = path / "rounds" / "0001" / "evaluation.json"
    before = kept.read_bytes()
    assert main(["evaluate", str(path), "--truth", str(decathlon / "imagesTr")]) == 1, "images are no annotations"
    assert kept.read_bytes() == before, "an evaluation of nothing has replaced it"

    outside = call("predict", path, "--images", decathlon / "imagesTr", "--out", tmp_path / "out")
    assert len(outside["predicted"]) == 6
    assert (tmp_path / "out" / "case_0.nii.gz").is_file()
    elsewhere = call("evaluate", path, "--images", decathlon / "imagesTr", "--truth", truth)
    assert (elsewhere["group"], elsewhere["n_cases"]) == ("images", 4)
    assert elsewhere["trained_on"] == ["case_0", "case_1"], "copies of images that were learnt from are known again"

    case = status["next_case"]["case"]
    assert call("label", path, case, truth / f"{case}.nii.gz")["state"] == "corrected"
    unseen = call("finish", path, "--accept-rest", "--yes")["accepted"]
    assert len(unseen) == 2 and case not in unseen
    second = call("train", path, "--iterations", 2, "--device", "cpu", "--detach")
    assert (second["round"], second["state"], second["resumed"]) == (2, "running", False)
    ended = call("status", path, "--follow")["round"]
    assert (ended["number"], ended["state"], ended["predicted"]) == (2, "finished", 2)
    assert ended["pid"] == second["pid"]
    record = Project.open(path).round(2).record
    assert record["parent"] == 1
    assert not {*unseen} & record["labels"].keys() and {*unseen} <= {*record["unlabelled"]}, "nobody looked at them"


@pytest.fixture
def hears_ctrl_c():
    """Tests in the background of a shell are started deaf to it, and so is what they start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent in another way there")
@pytest.mark.usefixtures("hears_ctrl_c")
def test_ctrl_c_leaves_the_training_alone_and_says_how_to_go_on(tiny_project, call, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", str(Path(metassl.__file__).parents[1]))
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    path = tiny_project.path
    command = [sys.executable, "-m", "metassl", "train", path, "--iterations", "1000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
        try:
            shown = next(line for line in watching.stdout if line.startswith("training"))
            assert "1000000" in shown
            watching.send_signal(signal.SIGINT)
            words, _ = watching.communicate(timeout=PATIENCE_S)
            assert watching.returncode == 130
            assert f"status {path} --follow" in words
            assert call("status", path)["round"]["state"] == "running"
            assert main(["train", str(path)]) == 2  # one training at a time
        finally:
            stopped = call("stop", path)
    assert stopped["state"] == "paused"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["predict", "P"], "no trained model yet"),
        (["rank", "P"], "no trained model yet"),
        (["evaluate", "P"], "no trained model yet"),
        (["report", "P"], "no trained model yet"),
        (["predict", "P", "--images", "somewhere"], "--images and --out go together"),
        (["predict", "P", "--images", "a", "--out", "b", "--cases", "c"], "--cases are of the"),
        (["predict", "P", "--cases", "nobody"], "has no case 'nobody'"),
        (["evaluate", "P", "--images", "somewhere"], "--images needs --truth"),
        (["evaluate", "P", "--out", "somewhere"], "--out goes with --images"),
        (["evaluate", "P", "--truth", "nowhere"], "cannot read the folder of true annotations"),
        (["evaluate", "P", "--cases", "test"], "--truth DIR is needed"),
        (["evaluate", "P", "--truth", ".", "--cases", "test"], "no true annotation"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(words, told, tiny_project, capsys, monkeypatch):
    pytest.importorskip("metassl.evaluation.report")
    monkeypatch.chdir(tiny_project.path.parent)
    tiny_project.path.rename("P")
    assert main(words) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert told in line
