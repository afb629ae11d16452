"""The short form of the campaign."""

import os

import pytest
from faults.pid_reuse import KINDS, run

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stranger takes POSIX signals")


def test_a_pid_that_was_given_away_is_neither_signalled_nor_taken_for_the_job(tmp_path, capsys):
    outcomes = run(len(KINDS), tmp_path, seed=1)
    assert [outcome.times for outcome in outcomes] == [1] * len(KINDS)
    assert [outcome.fault for outcome in outcomes if outcome.lost] == [], capsys.readouterr().err
