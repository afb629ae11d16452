"""A real sshd, a machine that is reached by it, and a project on which a round takes seconds."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest
from faults.killed_worker_cohort import ball_project
from metassl.machines import Machine, write_machine
from metassl.project import Project
from sshd import ALIAS, Sshd, why_not
from there import end_workers


@pytest.fixture
def sshd(tmp_path, monkeypatch) -> Iterator[Sshd]:
    if os.environ.get("METASSL_SSH_TEST") != "1":
        pytest.skip("starts a server: `make ssh-test`")
    if reason := why_not():
        pytest.skip(reason)
    server = Sshd(tmp_path / "sshd").start()
    monkeypatch.setenv("METASSL_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for name, value in server.variables.items():
        monkeypatch.setenv(name, value)
    yield server
    end_workers(tmp_path)
    server.stop()


@pytest.fixture
def machine(sshd) -> Machine:
    found = Machine("gpu-room", "ssh", host=ALIAS, python=sys.executable)
    write_machine(found)
    return found


@pytest.fixture
def project(tmp_path) -> Project:
    return ball_project(tmp_path / "project", tmp_path / "scans")
