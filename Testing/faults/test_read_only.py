"""A project that can only be read can be read, and says why nothing is written."""

import pytest
from faults import read_only
from faults.acts import ACTS
from faults.read_only_rights import read_only as made_read_only
from faults.read_only_rights import why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


def test_every_act_says_that_the_project_cannot_be_written_to(tmp_path):
    outcome = read_only.run(len(ACTS) - 1, tmp_path, seed=0)
    assert outcome.lost == 0, outcome.message
    assert read_only.SENTENCE in outcome.message


def test_the_folder_is_really_read_only_and_can_be_written_to_afterwards(tmp_path):
    (tmp_path / "a").write_text("a", encoding="utf-8")
    with made_read_only(tmp_path):
        with pytest.raises(PermissionError):
            (tmp_path / "a").write_text("b", encoding="utf-8")
        with pytest.raises(PermissionError):
            (tmp_path / "b").mkdir()
    (tmp_path / "a").write_text("c", encoding="utf-8")
