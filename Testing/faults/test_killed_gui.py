"""The short form of the campaign."""

import os

import pytest
from faults.killed_gui import run

pytestmark = pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX")


def test_a_slicer_that_is_killed_in_the_middle_of_a_write_loses_one_state_at_most(tmp_path):
    outcomes = run(3, tmp_path, seed=1)
    assert sum(outcome.times for outcome in outcomes) == 3
    assert [outcome.message for outcome in outcomes if outcome.lost] == []
