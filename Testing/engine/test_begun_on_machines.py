"""What was begun on a machine and is not finished: `metassl machines remove` names it first."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from cli_output import only_line, run, run_json
from metassl.jobs import JobRecord, JobStatus
from metassl.jobs.share import Share
from metassl.machines import Done, Machine, list_machines, unfinished_on, write_machine
from metassl.machines.begun import note_begun
from metassl.machines.slurm.launcher import SlurmLauncher
from metassl.project import Round
from random_model import add_round, random_model


class Sbatch:
    """A Slurm that takes every job."""

    def run(self, command, text=None, timeout_s=60.0) -> Done:
        return Done(0, "77\n" if command[0] == "sbatch" else "")


@pytest.fixture
def begun(tiny_project, tmp_path, monkeypatch) -> Round:
    """A round that waits on a cluster."""
    monkeypatch.setenv("METASSL_CONFIG", str(tmp_path / "config"))
    write_machine(Machine("cluster", "slurm"))
    found = add_round(tiny_project, random_model(tiny_project))
    SlurmLauncher("cluster", Sbatch()).launch(found)
    tell(found, state="queued")
    return found


def tell(found: Round, **changes) -> None:
    replace(JobStatus.read(found.status_path) or JobStatus(), **changes).write(found.status_path)


def test_a_machine_is_kept_while_a_round_there_is_not_finished(begun, capsys):
    code, _, err = run(capsys, "machines", "remove", "cluster")
    assert (
        code == 2
        and f"cluster is kept: not finished there is round 1 of {begun.project_path} (queued)" in only_line(err)
    )
    tell(begun, state="running", stage="training", step=120, total=300)
    assert "(running at step 120 of 300)" in run(capsys, "machines", "remove", "cluster")[2]
    assert [machine.name for machine in list_machines()] == ["cluster"]
    code, out, _ = run(capsys, "machines", "remove", "cluster", "--yes")
    assert code == 0 and f"round 1 of {begun.project_path}" in out and not list_machines()


def test_what_is_finished_or_went_on_elsewhere_keeps_no_machine(begun, capsys):
    tell(begun, state="paused")
    assert [each.round for each in unfinished_on("cluster")] == [1]
    record = JobRecord.read(begun.job_path)
    JobRecord.of(1).write(begun.job_path)
    assert not unfinished_on("cluster")
    record.write(begun.job_path)
    tell(begun, state="finished")
    assert not unfinished_on("cluster")
    assert run_json(capsys, "machines", "remove", "cluster") == {"removed": "cluster", "unfinished": []}


def test_a_stopped_round_that_another_one_has_followed_keeps_no_machine(begun, tiny_project):
    tell(begun, state="paused")
    add_round(tiny_project, random_model(tiny_project))
    assert not unfinished_on("cluster")
    tell(begun, state="running")
    assert unfinished_on("cluster")


def test_a_project_that_is_not_there_is_named_too(begun, capsys):
    shutil.rmtree(begun.project_path)
    assert "it was moved or deleted, or its disk is not there" in run(capsys, "machines", "remove", "cluster")[2]


def test_tasks_that_still_predict_are_named(begun, capsys):
    tell(begun, state="finished")
    share = SlurmLauncher("cluster", Sbatch()).launch_share(Share.make(begun, ["case_3", "case_4"], 2), begun)
    assert "(0 of 2 cases predicted by its tasks)" in run(capsys, "machines", "remove", "cluster")[2]
    share.ended_path.touch()
    assert not unfinished_on("cluster")


@pytest.mark.parametrize("content", ["", "{", '{"rounds": {"cluster": [{"project": 3}]}}'])
def test_what_begins_while_the_list_is_damaged_is_noted_and_the_damaged_list_is_kept(begun, tmp_path, content, capsys):
    noted = tmp_path / "config" / "begun.json"
    for _ in range(2):
        noted.write_text(content, encoding="utf-8")
        record = SlurmLauncher("cluster", Sbatch()).launch(begun)
        assert record.job == "77" and JobRecord.read(begun.job_path) == record
    kept = sorted(noted.parent.glob("begun.unread*"))
    assert [path.read_text("utf-8") for path in kept] == [content] * 2
    for path in kept:
        code, _, err = run(capsys, "machines", "remove", "cluster", "--yes")
        assert code == 2 and str(path) in only_line(err), "it may name others"
        path.unlink()
    assert [each.round for each in unfinished_on("cluster")] == [1]


def test_a_list_that_cannot_be_written_stops_no_training(begun, tmp_path, monkeypatch):
    monkeypatch.setenv("METASSL_CONFIG", str(begun.record_path / "below a file"))
    note_begun("cluster", begun)


def test_a_project_that_may_not_be_looked_into_is_named_and_stops_no_training(begun, monkeypatch):
    def denied(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(type(begun.record_path), "is_file", denied)
    note_begun("cluster", Round(begun.path.with_name("0002")))
    assert ["Permission denied" in each.standing for each in unfinished_on("cluster")] == [True, True]


def test_where_nobody_has_a_home_a_sentence_says_what_to_set(tiny_project, monkeypatch, capsys):
    for name in ("METASSL_CONFIG", "XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lambda: Path("~nobody-at-all").expanduser())
    code, _, err = run(capsys, "machines")
    assert code == 2 and "set METASSL_CONFIG" in only_line(err)
    note_begun("cluster", add_round(tiny_project, random_model(tiny_project)))
