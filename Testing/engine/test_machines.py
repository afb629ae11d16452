"""The list of a person's machines, and what is handed to Slurm and read from it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from cli_output import only_line, run, run_json
from metassl.files.errors import ProjectError
from metassl.jobs import get_launcher
from metassl.machines import (
    LocalShell,
    Machine,
    list_machines,
    read_machine,
    remove_machine,
    unusable_machines,
    write_machine,
)
from metassl.machines.site import site_path
from metassl.machines.slurm import answers
from metassl.machines.slurm.check import python_checks
from metassl.machines.slurm.script import lead_of, script, submission

CLUSTER = Machine(
    "cluster", "slurm", "/opt/python", ("module load cuda",), partition="gpu", gpus=2, time="8:00:00", options=("-A x",)
)


@pytest.fixture(autouse=True)
def own_list(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("METASSL_CONFIG", str(tmp_path / "config"))
    return tmp_path / "config" / "machines.json"


def test_a_machine_is_kept_as_it_was_set_up(own_list):
    assert list_machines() == []
    assert write_machine(CLUSTER) and not write_machine(CLUSTER)
    assert write_machine(Machine("attic", "slurm"))
    assert [machine.name for machine in list_machines()] == ["attic", "cluster"]
    assert read_machine("cluster") == CLUSTER
    assert json.loads(own_list.read_text(encoding="utf-8"))["machines"]["attic"] == {"kind": "slurm"}
    remove_machine("attic")
    with pytest.raises(ProjectError, match="no machine 'attic' .cluster.: see `metassl machines add"):
        read_machine("attic")


@pytest.mark.parametrize("name", ["", "local", "a b", "../x", "-x", "x" * 41])
def test_a_name_that_would_be_taken_for_something_else_is_refused(name):
    with pytest.raises(ProjectError, match="cannot name a machine"):
        Machine(name, "slurm")


@pytest.mark.parametrize(
    ("entry", "named"),
    [({"kind": "slurm", "gpu": 1}, "'gpu'"), ({"kind": "slurm", "gpus": "1"}, "'gpus'"), ({}, "'kind'")],
)
def test_a_wrong_entry_is_the_only_one_that_cannot_be_used(own_list, capsys, entry, named):
    own_list.parent.mkdir()
    fine = {"kind": "slurm", "gpus": 1}
    own_list.write_text(json.dumps({"machines": {"m": entry, "fine": fine}}), encoding="utf-8")
    assert [machine.name for machine in list_machines()] == ["fine"] and named in unusable_machines()["m"]
    with pytest.raises(ProjectError, match=f"machine m: its entry {named}.*machines.json.*machines remove m"):
        read_machine("m")
    code, out, _ = run(capsys, "machines")
    assert code == 0 and "m            unusable   machine m: its entry" in out and "fine         slurm" in out
    write_machine(Machine("attic", "slurm"))
    assert json.loads(own_list.read_text(encoding="utf-8"))["machines"]["m"] == entry, "it stays until it is mended"
    assert run(capsys, "machines", "remove", "m")[0] == 0
    assert [machine.name for machine in list_machines()] == ["attic", "fine"] and not unusable_machines()


def test_a_wrong_entry_can_be_set_up_anew(own_list, capsys):
    own_list.parent.mkdir()
    own_list.write_text('{"machines": {"m": 3}}', encoding="utf-8")
    assert "set up anew" in run(capsys, "machines", "add", "m", "--kind", "slurm")[1]
    assert read_machine("m") == Machine("m", "slurm")


@pytest.mark.parametrize(
    ("told", "named"),
    [
        ({"time": "4h"}, "'4h' is no time that Slurm takes"),
        ({"time": "4:0"}, "'4:0' is no time"),
        ({"time": "two days"}, "is no time"),
        ({"memory": "lots"}, "'lots' is no memory that Slurm takes: write 16G"),
        ({"memory": "1.5G"}, "is no memory"),
        ({"partition": "gpu; rm"}, "is no partition"),
        ({"partition": "gpu,"}, "'gpu,' is no partition"),
        ({"partition": "--qos=x"}, "is no partition"),
        ({"gpus": 100_000}, "no node has 100000 GPUs"),
        ({"cpus": -1}, "no node has -1 processors"),
    ],
)
def test_what_slurm_would_not_take_is_refused_when_it_is_set_up(told, named):
    with pytest.raises(ProjectError, match=f"machine c: .*{named}|machine c: {named}"):
        Machine("c", "slurm", **told)


@pytest.mark.parametrize("time", ["90", "30:00", "4:00:00", "2-00", "2-00:30", "2-00:00:00", "UNLIMITED"])
@pytest.mark.parametrize("memory", ["", "0", "16G", "500m", "16GB"])
@pytest.mark.parametrize("partition", ["gpu", "gpu,long", "gpu_a100.2+"])
def test_what_slurm_takes_is_taken(time, memory, partition):
    assert Machine("c", "slurm", time=time, memory=memory, partition=partition).time == time


def test_what_a_kind_would_never_use_is_refused(capsys):
    assert "--time, --option would not be used: that is for --kind slurm or ssh+slurm" in run(
        capsys, "machines", "add", "m", "--kind", "ssh", "--host", "h", "--time", "1:00:00", "--option=--qos=x"
    )[2]  # fmt: skip
    assert "--host would not be used" in run(capsys, "machines", "add", "m", "--kind", "slurm", "--host", "h")[2]
    assert run(capsys, "machines", "add", "m", "--kind", "slurm", "--gpus", 0)[0] == 0


def test_the_list_lies_where_the_system_keeps_such_things(monkeypatch, tmp_path):
    monkeypatch.delenv("METASSL_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    assert site_path() == tmp_path / "metassl" / "machines.json"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert site_path() == Path.home() / "Library/Application Support/metassl/machines.json"


def test_the_command_lists_adds_and_removes(capsys):
    assert "trainings run on this computer" in run(capsys, "machines")[1]
    added = run_json(
        capsys, "machines", "add", "c", "--kind", "slurm", "--gpus", 2, "--setup", "module load x", "--option=--qos=low"
    )
    assert added == {
        "machine": "c", "new": True, "kind": "slurm", "gpus": 2, "setup": ["module load x"], "options": ["--qos=low"]
    }  # fmt: skip
    assert "gpus 2" in run(capsys, "machines")[1]
    assert run(capsys, "machines", "remove", "c")[0] == 0 and list_machines() == []
    assert only_line(run(capsys, "machines", "test", "c")[2]).startswith("metassl: there is no machine 'c'")
    write_machine(CLUSTER)
    write_machine(Machine("attic", "slurm"))
    assert list(run_json(capsys, "machines", "list", "attic")["machines"]) == ["attic"]
    assert "there is no machine 'cellar' (attic, cluster)" in run(capsys, "machines", "list", "cellar")[2]
    assert "which machine?" in run(capsys, "machines", "add")[2]
    assert "--kind says" in run(capsys, "machines", "add", "d")[2]


def test_where_there_is_no_slurm_the_test_says_so(capsys, monkeypatch, tmp_path):
    write_machine(CLUSTER)
    monkeypatch.setenv("PATH", str(tmp_path))
    code, out, _ = run(capsys, "machines", "test", "cluster")
    assert code == 1 and "FAILED  Slurm: sinfo: No such file" in out and "cluster is not ready" in out


def test_a_training_on_a_machine_that_is_not_set_up_begins_no_round(capsys, tiny_project):
    code, _, err = run(capsys, "train", tiny_project.path, "--on", "cluster")
    assert code == 2 and "there is no machine 'cluster'" in err and tiny_project.rounds() == []


# What sbatch is given


def test_sbatch_is_asked_for_what_the_machine_says():
    command = submission(CLUSTER, "metassl-liver", "/p/log.txt", array=8)
    assert command[0] == "sbatch" and command[-1] == "-A x"
    asked = {
        "--partition=gpu",
        "--time=8:00:00",
        "--gpus-per-node=2",
        "--array=0-7",
        "--requeue",
        "--signal=B:USR1@120",
    }
    assert asked <= set(command) and not any(word.startswith(("--mem", "--cpus")) for word in command)


@pytest.mark.skipif(os.name == "nt", reason="a cluster runs bash")
def test_the_script_sets_up_and_becomes_the_python(tmp_path):
    odd = tmp_path / "a 'quoted' place"
    odd.mkdir()
    code = "import os, sys; print(os.environ['X'], os.environ['METASSL_JOB'], os.getcwd(), sys.argv[1])"
    text = script(Machine("m", "slurm", setup=("export X=y",)), sys.executable, str(odd), ["-c", code, "it's $HOME"])
    done = LocalShell({"SLURM_JOB_ID": "7", "PATH": os.environ["PATH"]}).run(["bash", "-s"], text)
    assert done.out == f"y 7 {odd} it's $HOME\n", done.err
    task = LocalShell({"SLURM_JOB_ID": "9", "SLURM_ARRAY_JOB_ID": "8", "PATH": os.environ["PATH"]})
    assert " 8 " in task.run(["bash", "-s"], text).out


@pytest.mark.parametrize(
    ("time", "seconds"),
    [("", 120), ("1", 15), ("30", 120), ("2:00", 30), ("4:00:00", 120), ("1-00", 120), ("0-00:02:00", 30), ("x", 120)],
)
def test_a_short_job_is_told_later(time, seconds):
    assert lead_of(time) == seconds


# What Slurm says


@pytest.mark.parametrize(
    ("line", "state", "words"),
    [
        ("PENDING|Resources||me", "queued", "waits until nodes are free (Resources)"),
        ("PENDING|BeginTime||me", "queued", "waits until its next start, in a moment (BeginTime)"),
        ("PENDING|QOSMaxJobsPerUserLimit||me", "queued", "waits as the person, the account or the queue has reached"),
        ("PENDING|SomethingNew||me", "queued", "waits (SomethingNew)"),
        ("RUNNING|None|gpu07|me", "running", "runs on gpu07"),
        ("COMPLETING|None|gpu07|me", "running", "runs on gpu07"),
        ("CANCELLED|None||me", "ended", "was cancelled"),
        ("TIMEOUT|TimeLimit|gpu07|me", "ended", "was ended, as its time was up"),
        ("NODE_FAIL|NodeDown|gpu07|me", "ended", "was lost, as its node failed"),
        ("OUT_OF_MEMORY|OutOfMemory|n|me", "ended", "was ended, as it took more memory than it had asked for"),
        ("FAILED|NonZeroExitCode|n|me", "ended", "has failed (NonZeroExitCode)"),
        ("STRANGE|None|n|me", "ended", "has ended (STRANGE)"),
    ],
)
def test_each_state_is_put_into_words(line, state, words):
    answer = answers.of_queue(line + "\n")
    assert answer.state == state and answer.words.startswith(words)


def test_accounts_say_who_has_cancelled():
    answer = answers.of_accounts("CANCELLED by 1000|0:0|n1\n")
    assert (answer.state, answer.words) == ("ended", "was cancelled by 1000")
    assert answers.of_accounts("FAILED|2:0|n1\n").words == "has failed (exit code 2:0)"
    assert answers.of_accounts("") is None and answers.of_queue("nonsense") is None


def test_an_array_runs_while_one_of_its_tasks_does():
    lines = "COMPLETED|None|n1|me\nPENDING|Resources||me\nRUNNING|None|n2|me\n"
    assert answers.of_queue(lines).words == "runs on n2"
    assert answers.of_queue("COMPLETED|None|n1|me\nPENDING|Resources||me\n").state == "queued"


@pytest.mark.skipif(os.name == "nt", reason="a cluster runs bash")
def test_the_python_there_is_asked_for_its_packages():
    engine = str(Path(__file__).parents[2] / "MetaSSLSlicer")
    there, packages = python_checks(Machine("m", "slurm"), LocalShell(), sys.executable, engine)
    assert there.is_fine and packages.is_fine and "torch" in packages.words
    (missing,) = python_checks(Machine("m", "slurm"), LocalShell(), "/nowhere/python", "")
    assert not missing.is_fine and "/nowhere/python -m pip install metassl" in missing.remedy


def test_a_command_that_cannot_be_started_or_hangs_is_an_answer():
    assert LocalShell().run(["/nowhere/program"]).code == 127
    assert LocalShell().run([sys.executable, "-c", "import time; time.sleep(9)"], timeout_s=0.2).code == 124


def test_the_launcher_of_a_machine_is_made_with_its_name():
    write_machine(CLUSTER)
    assert get_launcher("slurm", "cluster").machine == CLUSTER
    with pytest.raises(ProjectError, match="no machine"):
        get_launcher("slurm", "elsewhere")
