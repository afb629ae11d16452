"""Tasks predict the cases of a project together: by the command line, with failures, and with what is left."""

from __future__ import annotations

import pytest
from cli_output import run, run_json
from metassl.choices.descriptions import LauncherDescription
from metassl.files.errors import ProjectError
from metassl.inference.shared import MOST_TRIES, predict_share
from metassl.jobs import JobRecord, Standing, launcher, standing
from metassl.jobs.share import Share, shares_of
from metassl.machines import Machine, machine, write_machine
from metassl.machines.ssh.launcher import SshSlurmLauncher
from metassl.project import Project
from random_model import add_round, random_model


class Here:
    """A machine whose tasks have done their work when they are launched; of an array that was cancelled, none."""

    cancelled = False

    def __init__(self, name: str) -> None:
        self.name = name

    def launch_share(self, share: Share, round) -> Share:
        if not Here.cancelled:
            for task in range(share.tasks):
                predict_share(Project.open(round.project_path), round, share, task)
        return share.launched(JobRecord.elsewhere("here", self.name, "5"))

    def standing(self, record) -> Standing:
        return Standing("ended", "was cancelled" if Here.cancelled else "has ended")


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    monkeypatch.setenv("METASSL_CONFIG", str(tmp_path / "config"))
    monkeypatch.setattr(machine, "MACHINE_KINDS", ("here", "slurm", "ssh+slurm"))
    monkeypatch.setitem(launcher.LAUNCHERS, "here", LauncherDescription("here", "here", "x:Here", machine=True))
    monkeypatch.setattr(launcher, "load", lambda path: Here)
    monkeypatch.setattr(standing, "_KNOWN", {})
    monkeypatch.setattr(Here, "cancelled", False)
    write_machine(Machine("m", "here"))


def test_the_cases_are_predicted_marked_and_ranked(tiny_project, capsys):
    found = add_round(tiny_project, random_model(tiny_project))
    told = run_json(capsys, "predict", tiny_project.path, "--on", "m", "--tasks", 2)
    assert told["predicted"] == ["case_3", "case_4", "case_5"] and not told["failed"] and not told["left"]
    assert found.predicted_cases() == told["predicted"] and found.ranking_path.exists()
    assert {case.state for case in Project.open(tiny_project.path).unlabelled_cases()} == {"predicted"}
    (share,) = shares_of(found)
    assert (share.machine, share.job, share.tasks) == ("m", "5", 2) and share.ended_path.exists()


def test_an_image_that_fails_is_named_and_the_rest_goes_on(tiny_project, capsys):
    add_round(tiny_project, random_model(tiny_project))
    tiny_project.image_paths("case_4")[0].write_bytes(b"no image")
    code, out, _ = run(capsys, "predict", tiny_project.path, "--on", "m")
    assert code == 1 and "2 cases predicted by 1 task on m" in out and "left out: case case_4" in out


def test_what_a_cancelled_array_leaves_is_told_and_done_by_the_next(tiny_project, capsys, monkeypatch):
    found = add_round(tiny_project, random_model(tiny_project))
    monkeypatch.setattr(Here, "cancelled", True)
    code, out, _ = run(capsys, "predict", tiny_project.path, "--on", "m", "--tasks", 2)
    assert code == 1 and "3 cases left (case_3, case_4, case_5): was cancelled; the rest: " in out
    assert (
        "shared      0 of 3 cases by 2 tasks on m (job 5): was cancelled"
        in run(capsys, "status", found.project_path)[1]
    )
    monkeypatch.setattr(Here, "cancelled", False)
    monkeypatch.setattr(standing, "_KNOWN", {})
    assert run(capsys, "predict", tiny_project.path, "--on", "m")[0] == 0
    assert [share.number for share in shares_of(found)] == [1, 2]


def test_on_local_is_this_computer(tiny_project, capsys):
    found = add_round(tiny_project, random_model(tiny_project))
    told = run_json(capsys, "predict", tiny_project.path, "--on", "local", "--device", "cpu")
    assert list(told["predicted"]) == ["case_3", "case_4", "case_5"] and not shares_of(found)


def test_what_a_machine_does_not_take_leaves_nothing_that_waits(tiny_project, capsys, monkeypatch):
    found = add_round(tiny_project, random_model(tiny_project))

    def refuse(launcher: Here, share: Share, round) -> Share:
        raise ProjectError("m did not take the job")

    monkeypatch.setattr(Here, "launch_share", refuse)
    assert "m did not take the job" in run(capsys, "predict", tiny_project.path, "--on", "m")[2]
    assert not shares_of(found)


def test_a_copied_project_has_no_tasks_behind_a_login_node(tiny_project):
    found = add_round(tiny_project, random_model(tiny_project))
    write_machine(Machine("cluster", "ssh+slurm", host="login"))
    with pytest.raises(ProjectError, match="lies in no folder that cluster shares .--map."):
        SshSlurmLauncher("cluster").launch_share(Share.make(found, ["case_3"], 1), found)


def test_a_case_on_which_many_tasks_have_ended_is_given_up(tiny_project):
    found = add_round(tiny_project, random_model(tiny_project))
    share = Share.make(found, ["case_3", "case_4"], 1, "cpu")
    for number in range(MOST_TRIES):
        (share.claims / f"case_3.{number}").touch()
    assert predict_share(tiny_project, found, share, lease_s=-1.0) == 1
    seen = share.standings()
    assert seen.done == {"case_4"} and "tasks have ended on it" in share.failures(seen.failed)["case_3"]


def test_what_goes_together_and_what_does_not(tiny_project, capsys):
    add_round(tiny_project, random_model(tiny_project))
    assert "--tasks and --detach go with --on" in run(capsys, "predict", tiny_project.path, "--tasks", 2)[2]
    assert (
        "--tasks and --detach go with --on"
        in run(capsys, "predict", tiny_project.path, "--on", "local", "--tasks", 2)[2]
    )
    assert "no machine 'n'" in run(capsys, "predict", tiny_project.path, "--on", "n")[2]
    images = [tiny_project.path, "--on", "m", "--images", "x", "--out", "y"]
    assert "leave one out" in run(capsys, "predict", *images)[2]
