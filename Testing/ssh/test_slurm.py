"""A Slurm whose login node is reached by ssh."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cli_output import run
from faults.killed_worker_cohort import ball_project
from loopback import LoopbackSlurm, slurm_for
from metassl.jobs import get_launcher, job_status, launcher_of
from metassl.jobs.share import shares_of
from metassl.machines import Machine, write_machine
from metassl.machines.ssh.launcher import SshSlurmLauncher
from random_model import add_round, random_model
from sshd import ALIAS
from there import steps, the_end, train_on, wait_until, workers


@pytest.fixture(scope="module")
def slurm(tmp_path_factory) -> Iterator[LoopbackSlurm]:
    with slurm_for("ssh-test", tmp_path_factory.mktemp("slurm")) as running:
        yield running


@pytest.fixture
def cluster(slurm, sshd, monkeypatch) -> Iterator[Machine]:
    """Its login node finds Slurm by a line that a login there has, and nobody here does."""
    sshd.stop()
    sshd.start(environment={"SLURM_CONF": slurm.environment["SLURM_CONF"]})
    monkeypatch.delenv("SLURM_CONF", raising=False)
    monkeypatch.setattr(SshSlurmLauncher, "every_s", 1.0)
    found = Machine("cluster", "ssh+slurm", host=ALIAS, python=sys.executable, setup=("export OMP_NUM_THREADS=1",))
    write_machine(found)
    yield found
    slurm.empty()


@pytest.fixture
def shared(cluster, tmp_path) -> Path:
    """A folder that the cluster has by another name."""
    (tmp_path / "share").mkdir()
    (tmp_path / "mounted").symlink_to(tmp_path / "share")
    maps = ((str(tmp_path / "share"), str(tmp_path / "mounted")),)
    write_machine(replace(cluster, maps=maps))
    return tmp_path / "share"


def test_the_login_node_its_slurm_and_its_python_are_tested(cluster):
    checks = {check.what: check for check in get_launcher(cluster.kind, cluster.name).check()}
    assert all(check.is_fine for check in checks.values()), checks
    assert {"connection", "disk", "Slurm", "its partitions", "Python there", "packages"} <= checks.keys()


def test_a_copied_project_is_trained_by_a_job_whose_queue_is_seen_here(cluster, slurm, project):
    for _node in range(2):
        slurm.run("sbatch", "--output=/dev/null", "--wrap", "sleep 600")
    found = train_on(cluster, project)
    status = wait_until(lambda: "nodes are free" in (now := job_status(found)).queue and now)
    assert (status.state, status.machine, status.stage) == ("queued", "cluster", ""), status
    slurm.run("scancel", "--name=wrap")
    status = the_end(found)
    assert (status.state, status.predicted, status.machine) == ("finished", 3, "cluster"), status
    assert len(found.predicted_cases()) == 3 and found.model_path.is_file()
    assert not workers(project.path)


def test_a_project_in_a_shared_folder_is_trained_where_it_lies_and_stopped(cluster, shared):
    project = ball_project(shared / "project", shared / "scans")
    found = train_on(cluster, project, 500)
    wait_until(lambda: steps(found))
    assert job_status(found).state == "running"
    launcher_of(found).stop(found)
    wait_until(lambda: job_status(found).state == "paused")
    assert "mounted" not in found.events_path.read_text(encoding="utf-8")
    assert not list(Path(found.path).rglob("mirror.json"))


def test_tasks_behind_the_login_node_share_the_cases_of_a_shared_folder(cluster, shared, capsys):
    project = ball_project(shared / "project", shared / "scans", cases=6)
    found = add_round(project, random_model(project))
    waiting = [case.id for case in project.unlabelled_cases()]
    project.image_paths(waiting[0])[0].write_bytes(b"no image")
    code, out, _ = run(capsys, "predict", project.path, "--on", "cluster", "--tasks", 2, "--json")
    told = json.loads(out)
    assert code == 1, "a case has failed"
    assert told["predicted"] == sorted(waiting[1:]) == found.predicted_cases() and not told["left"]
    (reason,) = told["failed"].values()
    assert str(shared) in reason and "mounted" not in reason
    (share,) = shares_of(found)
    assert (share.machine, share.job, share.tasks) == ("cluster", told["job"], 2) and share.ended_path.exists()
