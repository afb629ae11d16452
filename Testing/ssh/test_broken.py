"""What breaks between two computers: nothing is lost, and every end has a reason."""

from __future__ import annotations

import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
from faults.killed_worker_cohort import ball_project
from metassl.jobs import JobRecord, job_status, launcher_of, read_events
from metassl.jobs.process import kill
from metassl.jobs.start import start_training
from metassl.machines import write_machine
from there import is_attended, steps, the_end, told, train_on, wait_until, workers


def test_connections_that_are_cut_cost_nothing(sshd, machine, project):
    found = train_on(machine, project, 8)
    cuts = 0
    while not job_status(found).is_over and cuts < 40:
        if steps(found) > cuts // 2 or told(found, "predicted"):
            sshd.cut()
            cuts += 1
        time.sleep(0.3)
    status = the_end(found)
    assert cuts >= 2
    assert (status.state, status.predicted) == ("finished", 3), status
    assert len(found.predicted_cases()) == 3 and found.model_path.is_file()
    numbers = [event.seq for event in read_events(found.events_path)]
    assert numbers == sorted(set(numbers))
    assert not [path for path in found.path.rglob(".tmp-*")]


def test_a_server_that_is_away_is_told_of_and_waited_for(sshd, machine, project):
    found = train_on(machine, project, 500)
    wait_until(lambda: steps(found))
    sshd.stop()
    status = wait_until(lambda: job_status(found).warnings and job_status(found))
    assert (
        status.state == "running"
        and "nothing has come back of the training, which goes on there" in status.warnings[-1]
    )
    assert workers(sshd.home)
    before = steps(found)
    sshd.start()
    wait_until(lambda: steps(found) > before)
    wait_until(lambda: not [text for text in job_status(found).warnings if "nothing has come back" in text])
    launcher_of(found).stop(found)
    assert the_end(found).state == "paused"


def test_a_laptop_that_was_off_finds_it_finished(sshd, machine, project):
    found = train_on(machine, project, 4)
    wait_until(lambda: steps(found))
    kill(JobRecord.read(found.job_path).pid)
    wait_until(lambda: not is_attended(found))
    status = job_status(found)
    assert status.state == "interrupted"
    assert status.message == "nobody here follows the training on gpu-room any more, which may go on there"
    wait_until(lambda: not workers(sshd.home))
    assert start_training(project) == found
    status = the_end(found)
    assert (status.state, status.predicted) == ("finished", 3)
    assert len(told(found, "started")) == 1 and len(found.predicted_cases()) == 3


def test_a_host_key_that_changed_is_refused_with_what_to_do(sshd, machine, project):
    found = train_on(machine, project, 500)
    wait_until(lambda: steps(found))
    sshd.stop()
    sshd.start("other_key")
    status = the_end(found)
    assert status.state == "interrupted"
    assert "the host key of gpu-room (gpu-room) has changed, and nothing was sent" in status.message
    assert sshd.fingerprint("other_key") in status.message and "ssh-keygen -R" in status.message
    assert "goes on there meanwhile" in status.hint and workers(sshd.home)
    sshd.trust("other_key")
    assert start_training(project) == found
    wait_until(lambda: steps(found) > status.step)
    launcher_of(found).stop(found)
    assert the_end(found).state == "paused"
    assert len(told(found, "started")) == 1


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 64 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no small disk can be mounted here: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_disk_that_is_full_there_is_told_of_and_it_goes_on_when_there_is_room(sshd, machine, project, small_disk):
    write_machine(replace(machine, folder=str(small_disk)))
    filler = small_disk / "filler"
    filler.write_bytes(bytes((64 << 20) - (5 << 18)))
    found = train_on(machine, project, 2)
    status = the_end(found)
    assert (status.state, status.code) == ("interrupted", "disk_full"), status
    assert "the disk of gpu-room is full" in status.message or "the disk of gpu-room has" in status.message
    assert not [
        path for path in small_disk.rglob("*") if path.is_file() and "nii.gz" in path.name and not _is_whole(path)
    ]
    filler.unlink()
    assert start_training(project) == found
    status = the_end(found)
    assert (status.state, status.predicted) == ("finished", 3), status


def _is_whole(path: Path) -> bool:
    return subprocess.run(["gzip", "-t", path], capture_output=True).returncode == 0


def test_a_disk_that_fills_up_there_in_the_middle_loses_nothing_here(sshd, machine, project, small_disk):
    write_machine(replace(machine, folder=str(small_disk)))
    found = train_on(machine, project, 500)
    wait_until(lambda: steps(found))
    filler = small_disk / "filler"
    with pytest.raises(OSError), open(filler, "wb", buffering=0) as stream:
        while True:
            stream.write(bytes(1 << 12))
    status = the_end(found)
    assert status.state in ("failed", "interrupted") and status.code == "disk_full", status
    assert "disk" in status.message and "full" in status.message
    before = len(told(found, "started"))
    filler.unlink()
    again = start_training(project)
    wait_until(lambda: len(told(again, "started")) > (before if again == found else 0) and steps(again))
    launcher_of(again).stop(again)
    assert the_end(again).state == "paused"


def test_results_wait_there_while_the_disk_here_is_full(sshd, machine, small_disk, tmp_path):
    project = ball_project(small_disk / "project", tmp_path / "scans")
    found = train_on(machine, project, 3)
    wait_until(lambda: steps(found))
    filler = small_disk / "filler"
    with pytest.raises(OSError), open(filler, "wb", buffering=0) as stream:
        while True:
            stream.write(bytes(1 << 12))
    wait_until(lambda: not workers(sshd.home))
    assert is_attended(found) and not found.model_path.exists()
    filler.unlink()
    status = the_end(found)
    assert (status.state, status.predicted) == ("finished", 3), status
    assert len(found.predicted_cases()) == 3 and found.model_path.is_file()
