"""A power loss in the middle of a write leaves the old state or the new; and the test would see it if it did not."""

import os
import random
from pathlib import Path

import pytest
from faults import power_loss
from faults.acts import ACTS
from faults.power_loss_disk import WatchedDisk, leave
from metassl.files import write_json


def test_after_a_power_loss_in_any_act_the_old_state_is_there_or_the_new(tmp_path):
    outcome = power_loss.run(2 * len(ACTS), tmp_path, seed=1)
    assert outcome.lost == 0, outcome.message
    assert outcome.recovered == outcome.times == 2 * len(ACTS)


def in_place(path: Path) -> None:
    path.write_text("new", encoding="utf-8")


def renamed_but_not_flushed(path: Path) -> None:
    path.with_name("part").write_text("new", encoding="utf-8")
    os.replace(path.with_name("part"), path)


def removed_before_it_is_renamed(path: Path) -> None:
    path.with_name("part").write_text("new", encoding="utf-8")
    os.unlink(path)
    os.rename(path.with_name("part"), path)


def left_by(write, folder: Path, kept: str = "any") -> set[str]:
    """All that may be found in the file after a power loss while `write` replaces "old" by "new"; "" for no file."""
    disk, found = folder / "disk", set()
    disk.mkdir()
    (disk / "file").write_text("old", encoding="utf-8")
    watched = WatchedDisk(disk)
    with watched.watching():
        write(disk / "file")
    for number, moment in enumerate(watched.moments * 20):
        target = folder / f"after{number}"
        leave(moment, watched.home, target, random.Random(number), kept)
        found.add((target / "file").read_text(encoding="utf-8") if (target / "file").exists() else "no file")
    return found


@pytest.mark.parametrize("write", [in_place, renamed_but_not_flushed])
def test_a_file_that_was_not_flushed_may_be_torn(tmp_path, write):
    assert not left_by(write, tmp_path) <= {"old", "new"}


def test_a_file_that_is_removed_first_may_be_gone(tmp_path):
    assert "no file" in left_by(removed_before_it_is_renamed, tmp_path)


def test_a_file_written_by_us_is_the_old_or_the_new_one(tmp_path):
    found = left_by(lambda path: write_json(path, {"n": 1}), tmp_path)
    assert len(found) == 2 and "old" in found


def test_a_folder_whose_parent_was_not_flushed_may_be_gone_with_all_in_it(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    watched = WatchedDisk(disk)
    with watched.watching():
        (disk / "rounds").mkdir()
        write_json(disk / "rounds" / "a.json", {})
    leave(watched.moments[-1], watched.home, tmp_path / "after", random.Random(0), "none")
    assert list((tmp_path / "after").iterdir()) == []
