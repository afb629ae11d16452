"""A broken or hostile file of any kind is refused in a clear sentence, or read rightly: see hostile_files."""

import pytest
from faults import hostile_files
from faults.hostile_child import Child


@pytest.fixture(scope="module")
def child():
    with Child() as made:
        yield made


@pytest.mark.parametrize("kind", hostile_files.PARTS)
def test_a_few_hostile_files_of_each_kind(tmp_path, kind, child):
    times = 16 if kind in ("NIfTI", "NRRD", "MetaImage", "checkpoint") else 6  # a whole project takes longer
    outcome = hostile_files.run_kind(kind, times, tmp_path, 7, child)
    assert outcome.lost == 0, outcome.message
    assert outcome.recovered == times


@pytest.mark.parametrize(
    ("how", "fault"),
    [("die", "crash"), ("fail", "traceback"), ("fill", "traceback"), ("turn", "slow"), ("read", "")],
)
def test_a_child_that_dies_fails_fills_the_memory_or_takes_long_is_noticed(how, fault, child):
    assert child.judge("bad_probe", how).fault == fault
    assert child.judge("bad_probe", "read").fault == ""
