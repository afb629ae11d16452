"""One training at a time: who is refused, who takes over, who is told what."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import metassl
import pytest
from machine import PATIENCE_S
from metassl.files import BusyError, ProjectError, write_json
from metassl.jobs import TrainingLock
from metassl.jobs.process import ENDED, UNKNOWN, host_name, process_started, same_process

ENGINE = str(Path(metassl.__file__).parents[1])


@contextmanager
def child(code: str, *arguments: str) -> Iterator[subprocess.Popen]:
    """A child that runs `code`, prints a line when it is ready, and is killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": ENGINE},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


SLEEP = "import time; print('ready', flush=True); time.sleep(60)"
HOLD = (
    "import sys, time; from metassl.jobs import TrainingLock\n"
    "TrainingLock(sys.argv[1]).acquire('round 0002'); print('ready', flush=True); time.sleep(60)"
)


def test_the_second_training_is_refused_and_told_who_holds_it(tmp_path):
    with child(HOLD, str(tmp_path)) as holder:
        assert holder.stdout.readline() == "ready\n"
        with pytest.raises(BusyError) as caught:
            TrainingLock(tmp_path).acquire("round 0003")
        text = str(caught.value)
        assert f"pid {holder.pid} on host {host_name()} since" in text and "(round 0002)" in text
        assert f"metassl status {tmp_path} --follow" in text
        assert f"metassl stop {tmp_path}" in text and "\n" not in text
        assert TrainingLock(tmp_path).busy().pid == holder.pid
        assert TrainingLock(tmp_path).release() is False
        assert TrainingLock(tmp_path).holder().pid == holder.pid


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path):
    with child(HOLD, str(tmp_path)) as holder:
        holder.stdout.readline()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert TrainingLock(tmp_path).holder().pid == holder.pid
    assert TrainingLock(tmp_path).busy() is None
    TrainingLock(tmp_path).acquire("round 0003")
    assert TrainingLock(tmp_path).holder().pid == os.getpid()


def test_a_killed_process_that_nobody_collected_yet_counts_as_dead(tmp_path):
    with child(HOLD, str(tmp_path)) as holder:
        holder.stdout.readline()
        holder.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE_S
        while TrainingLock(tmp_path).busy() is not None:  # it stays a zombie: no wait() here
            assert time.monotonic() < deadline
            time.sleep(0.01)
        TrainingLock(tmp_path).acquire()


def test_a_pid_that_was_given_to_another_process_does_not_keep_the_lock(tmp_path):
    with child(SLEEP) as stranger:
        stranger.stdout.readline()
        started = process_started(stranger.pid)
        holder = {"pid": stranger.pid, "host": host_name(), "since": "2026-01-01T00:00:00+00:00"}
        path = tmp_path / "training.lock"
        write_json(path, {**holder, "process_started": started, "purpose": ""})
        with pytest.raises(BusyError):
            TrainingLock(tmp_path).acquire()
        write_json(path, {**holder, "process_started": started + "0", "purpose": ""})
        TrainingLock(tmp_path).acquire()
        assert TrainingLock(tmp_path).holder().pid == os.getpid()


def test_of_many_that_find_a_dead_holder_one_takes_over(tmp_path):
    write_json(
        tmp_path / "training.lock",
        {"pid": 2**22 + 1, "process_started": "x", "host": host_name(), "since": "", "purpose": ""},
    )
    code = """
import sys, time
from metassl.jobs import TrainingLock
from metassl.files import BusyError
print("ready", flush=True)
sys.stdin.readline()
try:
    TrainingLock(sys.argv[1]).acquire()
    print("mine", flush=True)
except BusyError:
    print("busy", flush=True)
sys.stdin.readline()
"""
    with (
        child(code, str(tmp_path)) as a,
        child(code, str(tmp_path)) as b,
        child(code, str(tmp_path)) as c,
    ):
        processes = [a, b, c]
        assert [process.stdout.readline() for process in processes] == ["ready\n"] * 3
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [process.stdout.readline().strip() for process in processes]
        assert sorted(answers) == ["busy", "busy", "mine"]
        winner = processes[answers.index("mine")]
        assert TrainingLock(tmp_path).holder().pid == winner.pid


def test_the_lock_of_another_host_is_respected_and_the_way_out_named(tmp_path):
    write_json(
        tmp_path / "training.lock",
        {
            "pid": os.getpid(),
            "process_started": process_started(os.getpid()),
            "host": "elsewhere",
            "since": "2026-01-01T00:00:00+00:00",
            "purpose": "round 0001",
        },
    )
    with pytest.raises(BusyError, match="on host elsewhere since 202.*delete .*training.lock"):
        TrainingLock(tmp_path).acquire()


def test_the_lock_is_handed_to_a_worker_and_outlives_the_one_who_took_it(tmp_path):
    with child(SLEEP) as worker:
        worker.stdout.readline()
        lock = TrainingLock(tmp_path)
        lock.acquire("training")
        lock.transfer(worker.pid, "round 0001")
        assert lock.release() is False
        assert lock.busy().pid == worker.pid and lock.busy().purpose == "round 0001"
        with pytest.raises(BusyError, match=f"pid {worker.pid} .*round 0001"):
            lock.acquire()
        with pytest.raises(ProjectError, match="not held by this process"):
            lock.transfer(os.getpid())


def test_a_lock_handed_to_a_process_that_has_ended_is_free(tmp_path):
    with child("print()") as worker:
        worker.wait()
    lock = TrainingLock(tmp_path)
    lock.acquire()
    lock.transfer(worker.pid)
    assert lock.holder() is None and not lock.path.exists()


def test_a_worker_may_wait_for_the_lock_that_is_to_be_handed_to_it(tmp_path):
    code = (
        "import sys; from metassl.jobs import TrainingLock\n"
        "print('ready', flush=True)\n"
        "lock = TrainingLock(sys.argv[1]); lock.acquire('round 0001', wait_s=20)\n"
        "print(lock.release(), flush=True)"
    )
    lock = TrainingLock(tmp_path)
    lock.acquire()
    with child(code, str(tmp_path)) as worker:
        worker.stdout.readline()
        timer = threading.Timer(0.2, lock.transfer, [worker.pid])
        timer.start()
        assert worker.stdout.readline() == "True\n"
        timer.join()
    assert lock.holder() is None


def test_the_holder_may_take_the_lock_again_and_gives_it_up_once(tmp_path):
    lock = TrainingLock(tmp_path)
    assert lock.release() is False
    lock.acquire("round 0001")
    lock.acquire()
    assert lock.holder().purpose == "round 0001"
    assert lock.release() is True and lock.release() is False
    assert not lock.path.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "7"}', '{"pid": 7, "host": 3}'])
def test_a_damaged_lock_file_locks_nobody_out(tmp_path, text):
    (tmp_path / "training.lock").write_text(text, encoding="utf-8")
    lock = TrainingLock(tmp_path)
    assert lock.busy() is None
    lock.acquire()
    assert json.loads(lock.path.read_text(encoding="utf-8"))["pid"] == os.getpid()


def test_a_project_that_is_gone_cannot_be_locked(tmp_path):
    with pytest.raises(ProjectError, match="no project folder"):
        TrainingLock(tmp_path / "gone").acquire()


def test_the_start_mark_of_a_process_stays_and_tells_processes_apart():
    with child(SLEEP) as process:
        process.stdout.readline()
        started = process_started(process.pid)
        time.sleep(0.05)
        assert process_started(process.pid) == started
        assert same_process(process.pid, started)
        assert not same_process(process.pid, process_started(os.getpid()))
        assert same_process(process.pid, UNKNOWN) and not same_process(process.pid, ENDED)
    assert process_started(process.pid) is None and not same_process(process.pid, started)
    assert process_started(0) is None and process_started(-1) is None


def test_the_start_mark_read_with_ps_is_as_good(tmp_path):
    from metassl.jobs.process import _started_ps

    if subprocess.run(["which", "ps"], capture_output=True).returncode:
        pytest.skip("there is no ps here")
    with child(SLEEP) as process:
        process.stdout.readline()
        started = _started_ps(process.pid)
        assert started and started != UNKNOWN and _started_ps(process.pid) == started
    assert _started_ps(process.pid) is None
