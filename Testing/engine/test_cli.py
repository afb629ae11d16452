"""The command line: words, exit codes, JSON, and the way from one command to the next."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_output import only_line, run, run_json
from metassl import cli
from metassl.choices.frameworks import FRAMEWORK_CATALOG, FRAMEWORKS, LOSS_CATALOG, LOSSES
from metassl.cli import main
from metassl.commands import chapters
from metassl.jobs import JobRecord, LocalLauncher

COMMANDS = [module.__name__.rpartition(".")[2] for _, modules in chapters() for module in modules]
ENGINE = Path(cli.__file__).parents[1]

WORKER = """
import sys, time
from pathlib import Path
from metassl.jobs import JobWriter
from metassl.project import Project
found = Project.open(Path(sys.argv[1])).round(int(sys.argv[2]))
events = JobWriter(found, every_s=0.0)
events.write("started", device="cpu", device_name="CPU (2 cores)", precision="fp32")
events.write("stage", stage="training", total=4)
events.write("progress", stage="training", step=2, total=4, eta_s=8, loss={"total": 0.5})
deadline = time.monotonic() + 300
while END == "waits" and not found.stop_path.exists() and time.monotonic() < deadline:
    time.sleep(0.02)
if END == "waits":
    events.write("paused", step=2)
elif END == "fails":
    events.write("failed", message="the disk is full", hint="free some space")
else:
    events.write("finished", seconds=1.0)
"""


@pytest.fixture
def start_worker(tmp_path, tiny_project, monkeypatch):
    """start_worker(end) -> the round of a real process that writes a few events and then `end`s."""
    started = []

    def start(end: str):
        (tmp_path / "small_worker.py").write_text(f"END = {end!r}\n{WORKER}", encoding="utf-8")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        found = tiny_project.new_round({"config": {}, "labels": {}, "launcher": "local"})
        launcher = LocalLauncher("small_worker")
        launcher.launch(found)
        started.append((launcher, found))
        return found

    yield start
    for launcher, found in started:
        launcher.stop_now(found)


# Help and errors


def test_help_tells_the_commands_in_the_order_of_the_story(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    text = capsys.readouterr().out
    places = [text.index(f"\n  {name} ") for name in COMMANDS]
    assert end.value.code == 0
    assert places == sorted(places)
    expected = "demo sample scan new label add remove structure train frameworks status stop rounds machines predict"
    of_research = {"uncertainty", "benchmark", "reproduce", "simulate", "peers", "adapt"}
    assert (
        set(COMMANDS)
        == {*expected.split(), "rank", "finish", "evaluate", "report", "export", "doctor", "clean"} | of_research
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0
    assert f"usage: metassl {command}" in capsys.readouterr().out


def test_help_does_not_wait_for_torch():
    code = (
        "import sys, metassl.cli as cli; cli.build_parser().format_help(); "
        "print(sorted({'torch', 'monai'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ENGINE)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_the_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "metassl", "status", "nowhere"],
        env={**os.environ, "PYTHONPATH": str(ENGINE)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert only_line(done.stderr).startswith("metassl: there is no project folder")
    assert done.stdout == ""


def test_no_command_at_all_shows_the_story(capsys):
    code, out, err = run(capsys)
    assert (code, out) == (2, "")
    assert "Label three cases" in err


@pytest.mark.parametrize(
    "words",
    [
        ["train"],
        ["train", "P", "--minutes", "-1"],
        ["train", "P", "--minutes", "soon"],
        ["train", "P", "--minutes", "1", "--iterations", "5"],
        ["train", "P", "--iterations", "0"],
        ["train", "P", "--framework", "unknown"],
        ["new", "P"],
        ["new", "P", "--from", "D", "--labelled", "3", "--labelled-cases", "F"],
        ["fly"],
    ],
)
def test_wrong_options_are_answered_in_one_line(words, capsys):
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    assert only_line(capsys.readouterr().err).startswith("metassl")


def test_the_choices_of_train_are_those_of_the_engine():
    frameworks = pytest.importorskip("metassl.frameworks")
    assert tuple(frameworks.FRAMEWORKS) == FRAMEWORKS
    assert {loss for each in FRAMEWORK_CATALOG for loss in each.losses} == set(LOSSES)


def test_frameworks_are_listed_with_one_line_and_their_citation(capsys):
    code, out, _ = run(capsys, "frameworks")
    assert code == 0
    for framework in FRAMEWORK_CATALOG:
        assert f"{framework.title}: {framework.summary}" in out and framework.citation in out
    for loss in LOSS_CATALOG:
        assert loss.name in out and loss.summary in out
    assert "the script for Mean Teacher stands in" in out and "metassl and plain only" in out
    code, out, err = run(capsys, "frameworks", "--json")
    found = json.loads(out)
    assert [loss["name"] for loss in found["losses"]] == list(LOSSES)
    assert [framework["name"] for framework in found["frameworks"]] == list(FRAMEWORKS)
    assert all(all(framework.values()) for framework in found["frameworks"])
    assert found["default"]["framework"] in FRAMEWORKS and found["default"]["loss"] in LOSSES
    assert "default: --framework" in err


def test_a_users_error_shows_its_traceback_only_on_request(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("METASSL_TRACEBACK", raising=False)
    assert "Traceback" not in run(capsys, "status", tmp_path)[2]
    monkeypatch.setenv("METASSL_TRACEBACK", "1")
    assert "Traceback" in run(capsys, "status", tmp_path)[2]


def test_a_fault_of_ours_leaves_its_details_in_a_file(tiny_project, tmp_path, capsys, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError("of our own making\nsecond line")

    monkeypatch.setattr("metassl.commands.status.show", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code, _, err = run(capsys, "status", tiny_project.path)
    (log,) = tmp_path.glob("metassl-error-*.log")
    assert code == 70
    assert only_line(err).endswith(f"ZeroDivisionError: of our own making; details in {log}")
    assert "second line" in log.read_text(encoding="utf-8")


def test_a_full_disk_is_a_users_error(tiny_project, capsys, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device", "/somewhere/model.pt")

    monkeypatch.setattr("metassl.commands.status.show", fail)
    code, _, err = run(capsys, "status", tiny_project.path)
    assert code == 2
    assert only_line(err) == "metassl: No space left on device: /somewhere/model.pt"


def test_ctrl_c_is_130(tiny_project, capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("metassl.commands.status.show", interrupt)
    assert run(capsys, "status", tiny_project.path)[0] == 130


@pytest.mark.skipif(os.name == "nt", reason="pipes are closed in another way there")

# A job in a process of its own


def test_following_shows_the_job_until_it_ends(start_worker, tiny_project, capsys):
    start_worker("finishes")
    code, out, _ = run(capsys, "status", tiny_project.path, "--follow")
    assert code == 0
    assert "round 0001  finished" in out


def test_following_a_job_that_fails_is_exit_code_one(start_worker, tiny_project, capsys):
    start_worker("fails")
    code, out, _ = run(capsys, "status", tiny_project.path, "--follow")
    assert code == 1
    assert "problem     the disk is full" in out
    assert "hint        free some space" in out


def test_stop_waits_until_the_job_has_paused(start_worker, tiny_project, capsys):
    found = start_worker("waits")
    result = run_json(capsys, "stop", tiny_project.path)
    assert result == {"stopped": True, "round": 1, "state": "paused"}
    assert not JobRecord.read(found.job_path).alive()


def test_stop_now_kills_the_job(start_worker, tiny_project, capsys):
    found = start_worker("waits")
    result = run_json(capsys, "stop", tiny_project.path, "--now")
    assert result == {"stopped": True, "round": 1, "state": result["state"]}
    assert result["state"] in ("interrupted", "failed")
    assert not JobRecord.read(found.job_path).alive()


def test_stopping_nothing_is_fine(tiny_project, capsys):
    assert run_json(capsys, "stop", tiny_project.path) == {"stopped": False, "round": None}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["stauts", "p"], "is it status?"),
        (["train", "p", "--minuts", "4"], "is it --minutes?"),
        (["report", "p", "--minutes", "4"], "--minutes 4; another command takes that"),
        (["train", "p", "--framework", "csp"], "is it cps?"),
        (["rank", "p", "--strategy", "combind"], "is it combined?"),
    ],
)
def test_a_word_that_is_nearly_right_gets_the_right_one(typed, meant, capsys):
    with pytest.raises(SystemExit):
        main(typed)
    assert meant in capsys.readouterr().err
