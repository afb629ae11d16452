"""A detached worker: it outlives its parent, writes its log, and can be stopped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import metassl
import pytest
from machine import PATIENCE_S
from metassl.files import ProjectError
from metassl.jobs import Event, JobRecord, LocalLauncher, get_launcher, job_status, read_events
from metassl.jobs.process import kill
from metassl.project import Round
from metassl.project.rounds import make_round

ENGINE = str(Path(metassl.__file__).parents[1])

WORKER = """
import os, sys, time
from pathlib import Path
from metassl.jobs import JobWriter
from metassl.project.rounds import round_path, Round

project, number = Path(sys.argv[1]), int(sys.argv[2])
found = Round(round_path(project / "rounds", number))
events = JobWriter(found)
events.write("started", device="cpu", precision="float32", cwd=os.getcwd(),
             session=os.getsid(0), stdin=sys.stdin.read())
print("a word on stdout", flush=True)
print("a word on stderr", file=sys.stderr, flush=True)
for step in range(int(os.environ.get("TINY_STEPS", "600"))):
    time.sleep(0.05)
    if found.stop_path.exists():
        events.write("paused", step=step)
        break
else:
    events.write("finished", seconds=1.0)
"""


def wait_for(condition: Callable[[], object]):
    deadline = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)
    return value


@pytest.fixture
def launcher(tmp_path, monkeypatch) -> LocalLauncher:
    """A launcher of a tiny real worker."""
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "tiny_worker.py").write_text(WORKER, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(modules))
    return LocalLauncher("tiny_worker")


@pytest.fixture
def a_round(tmp_path):
    """A round with a record; what it started is ended after the test."""
    made = make_round(tmp_path / "project" / "rounds")
    made.write_record({"config": {"device": "cpu"}})
    yield made
    record = JobRecord.read(made.job_path)
    if record is not None and record.pid != os.getpid() and record.alive():
        kill(record.pid)


def started(found: Round) -> Event:
    return wait_for(lambda: [e for e in read_events(found.events_path) if e.event == "started"])[0]


def test_the_default_worker_is_that_of_the_engine():
    assert get_launcher().module == "metassl.training.worker"
    with pytest.raises(ProjectError, match="no launcher 'cluster'; use one of local"):
        get_launcher("cluster")


def test_a_launched_worker_is_recorded_detached_and_logged(launcher, a_round):
    record = launcher.launch(a_round)
    event = started(a_round)
    assert JobRecord.read(a_round.job_path) == record and record.alive()
    assert (record.launcher, record.device, record.python) == ("local", "cpu", sys.executable)
    assert event.more["session"] == record.pid != os.getsid(0)
    assert event.more["stdin"] == "" and event.more["cwd"] == ENGINE
    wait_for(lambda: "stderr" in a_round.log_path.read_text(encoding="utf-8"))
    assert "a word on stdout" in a_round.log_path.read_text(encoding="utf-8")
    assert job_status(a_round).state == "running"


def test_a_worker_outlives_the_program_that_launched_it(launcher, a_round):
    code = (
        "import sys; from metassl.jobs import LocalLauncher; from metassl.project import Round\n"
        "print(LocalLauncher('tiny_worker').launch(Round(sys.argv[1])).pid)"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ENGINE}{os.pathsep}{os.environ['PYTHONPATH']}"}
    command = [sys.executable, "-W", "error", "-c", code, str(a_round.path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=PATIENCE_S)
    assert done.returncode == 0 and done.stderr == ""
    record = JobRecord.read(a_round.job_path)
    started(a_round)
    assert record.pid == int(done.stdout) and record.alive()
    launcher.stop(a_round)
    wait_for(lambda: not record.alive())
    assert job_status(a_round).state == "paused"


def test_code_that_lies_in_the_project_is_never_run(launcher, a_round):
    marker = a_round.project_path / "ran"
    for name in ("tiny_worker", "metassl", "json", "SimpleITK", "sitecustomize"):
        text = f"open({str(marker)!r}, 'w')\n"
        (a_round.project_path / f"{name}.py").write_text(text, encoding="utf-8")
    launcher.launch(a_round)
    started(a_round)
    assert not marker.exists()


def test_a_stop_request_pauses_and_a_launch_takes_it_back(launcher, a_round):
    first = launcher.launch(a_round)
    started(a_round)
    launcher.stop(a_round)
    wait_for(lambda: not first.alive())
    assert job_status(a_round).state == "paused" and a_round.stop_path.exists()
    second = launcher.launch(a_round)
    assert not a_round.stop_path.exists() and second.pid != first.pid
    assert job_status(a_round).state == "running"
    wait_for(lambda: len(read_events(a_round.events_path)) == 3)
    assert second.alive() and a_round.log_path.read_text(encoding="utf-8").count("stdout") >= 1


def test_a_worker_is_killed_at_once_and_the_status_says_so(launcher, a_round):
    record = launcher.launch(a_round)
    started(a_round)
    assert launcher.stop_now(a_round) is True
    wait_for(lambda: not record.alive())
    status = job_status(a_round)
    assert status.state == "interrupted" and "without a word" in status.message
    assert f"metassl train {a_round.project_path}" in status.hint
    assert launcher.stop_now(a_round) is False


def test_a_round_at_work_is_not_launched_twice(launcher, a_round):
    record = launcher.launch(a_round)
    with pytest.raises(ProjectError, match=f"already at work .pid {record.pid}"):
        launcher.launch(a_round)
    assert JobRecord.read(a_round.job_path) == record


def test_a_worker_that_ends_is_no_longer_alive_though_its_parent_is(launcher, a_round, monkeypatch):
    monkeypatch.setenv("TINY_STEPS", "1")
    record = launcher.launch(a_round)
    wait_for(lambda: not record.alive())
    assert job_status(a_round).state == "finished"


def test_a_worker_that_cannot_even_begin_leaves_its_last_words(a_round):
    record = LocalLauncher("no_such_module").launch(a_round)
    wait_for(lambda: not record.alive())
    status = job_status(a_round)
    assert status.state == "failed" and "No module named no_such_module" in status.message
    assert str(a_round.log_path) in status.hint


def test_a_python_that_is_not_there_is_named(launcher, a_round):
    with pytest.raises(ProjectError, match="cannot start /no/such/python"):
        launcher.launch(a_round, python="/no/such/python")
    assert not a_round.job_path.exists()


def test_a_job_on_another_host_is_neither_killed_nor_declared_dead(launcher, a_round):
    record = launcher.launch(a_round)
    started(a_round)
    replace(record, host="elsewhere").write(a_round.job_path)
    with pytest.raises(ProjectError, match="runs on elsewhere"):
        launcher.stop_now(a_round)
    assert job_status(a_round).state == "running"
    assert record.alive()
    kill(record.pid)


def test_a_reused_pid_is_not_the_job(a_round):
    record = replace(JobRecord.of(os.getpid()), process_started="some other time")
    record.write(a_round.job_path)
    assert not JobRecord.read(a_round.job_path).alive()
    assert LocalLauncher().stop_now(a_round) is False


@pytest.mark.parametrize("change", [{"pid": "7"}, {"pid": None}, {"host": 3}, {"launcher": None}])
def test_a_damaged_job_record_is_named(tmp_path, change):
    path = tmp_path / "job.json"
    JobRecord.of(os.getpid()).write(path)
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **change}), encoding="utf-8")
    with pytest.raises(ProjectError, match="job record is damaged"):
        JobRecord.read(path)


def test_a_job_record_without_a_file_is_none(tmp_path):
    assert JobRecord.read(tmp_path / "job.json") is None


def test_a_process_that_nothing_tells_to_be_the_worker_is_not_killed(a_round):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        replace(JobRecord.of(other.pid), process_started="unknown").write(a_round.job_path)
        with pytest.raises(ProjectError, match=f"process {other.pid}.*job.json.*end it yourself"):
            LocalLauncher().stop_now(a_round)
        assert other.poll() is None
        other.stdin.close()
    assert other.returncode == 1, "it ended of its own accord, at the end of its input"
