"""A full disk is said in a sentence, at whatever step of whatever act, and the former state stays."""

import errno
from pathlib import Path

import pytest
from faults import disk_full
from faults.disk_full_shim import FailingDisk, SmallDisk
from metassl.files import write_json


def test_a_disk_that_is_full_at_any_step_of_any_act_loses_nothing(tmp_path):
    outcome = disk_full.run(60, tmp_path, seed=1)
    assert outcome.lost == 0, outcome.message
    assert outcome.recovered == outcome.times == 60 and outcome.message.startswith("the disk is full: cannot write")


def test_a_really_small_disk_loses_nothing(tmp_path):
    if reason := SmallDisk.why_not(tmp_path):
        pytest.skip(reason)
    full = disk_full.DiskFull(disk_full.write_images(tmp_path / "images"), disk_full.random.Random(3))
    full.on_a_small_disk(tmp_path / "disk", times=40)
    assert full.problems == [] and full.times >= 3 and "the disk is full" in full.message


def test_the_failing_disk_fails_at_the_step_that_was_asked_for(tmp_path):
    def steps_of(write) -> int:
        failing = FailingDisk(tmp_path, 1000, errno.ENOSPC)
        with failing.failing():
            write(tmp_path / "file")
        return failing.count

    assert steps_of(lambda path: path.write_text("x", encoding="utf-8")) == 2
    assert steps_of(lambda path: write_json(path, {})) == 5  # open, write, open, flush, rename
    torn = FailingDisk(tmp_path, 2, errno.ENOSPC)
    with torn.failing(), pytest.raises(OSError, match="No space"):
        Path(tmp_path / "file").write_text("a long text", encoding="utf-8")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "a lon"
