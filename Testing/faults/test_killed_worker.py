"""The short form of the campaign, and what a worker puts right that comes after a killed one."""

import os

import numpy as np
import pytest
from faults.killed_worker import SLOW, SPANS, Tally, disturb
from faults.killed_worker_cohort import ball_project, child_launcher, on_one_core
from metassl.jobs import JobRecord
from metassl.jobs.start import take_over

pytestmark = pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX")


@pytest.fixture
def project(tmp_path):
    return ball_project(tmp_path / "project", tmp_path / "images")


def test_a_worker_that_is_killed_while_it_writes_a_checkpoint_goes_on(project):
    tally = Tally()
    with on_one_core(), child_launcher(SLOW, "faults.killed_worker_child"):
        disturb(project, ["checkpoint writing"], SPANS, np.random.default_rng(), tally, iterations=6)
    assert tally.problems == [] and sum(tally.hits.values()) >= 1


def test_a_worker_whose_launcher_died_says_itself_which_process_it_is(project):
    found = project.new_round({"config": {"device": "cpu"}})
    JobRecord("local", os.getpid(), "started at another time", JobRecord.of(os.getpid()).host).write(found.job_path)
    take_over(project, found)
    assert JobRecord.read(found.job_path).alive()
    written = JobRecord.read(found.job_path)
    take_over(project, found)
    assert JobRecord.read(found.job_path) == written, "a record that is right stays"


def test_half_a_checkpoint_of_a_killed_worker_is_removed_and_a_young_half_of_a_label_stays(project):
    found = project.new_round({"config": {"device": "cpu"}})
    torn, young, old = (
        found.checkpoints / ".tmp-1-last.pt",
        project.path / "labels" / ".tmp-2-ball0.nrrd",
        project.path / "labels" / ".history" / ".tmp-3-ball0.nrrd",
    )
    for path in (torn, young, old):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    take_over(project, found)
    assert not torn.exists() and young.exists() and not old.exists()
    assert project.read_label("ball0")[0].any()
