"""Processes share cases through a folder: none is lost, none is done twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import metassl
import pytest
from machine import PATIENCE_S
from metassl.jobs.claims import Claims, look, reason_of

CASES = [f"case.{number:03d}" for number in range(60)]
"""With a dot in their names, as in those of people."""

WORK = """
import sys, time
from metassl.jobs.claims import Claims
folder, owner, cases, pause = sys.argv[1], sys.argv[2], sys.argv[3].split(), float(sys.argv[4])
with Claims(folder, cases, owner, lease_s=float(sys.argv[5])) as claims:
    for case in claims.take(int(owner) * len(cases) // 4):
        print(case, flush=True)
        time.sleep(pause)
        claims.done()
"""


def worker(folder: Path, number: int, pause: float = 0.0, lease_s: float = 60.0) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(Path(metassl.__file__).parents[1])}
    words = [sys.executable, "-c", WORK, str(folder), str(number), " ".join(CASES), str(pause), str(lease_s)]
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True)


def test_four_processes_do_every_case_once(tmp_path):
    workers = [worker(tmp_path, number, pause=0.002) for number in range(4)]
    did = [process.communicate(timeout=PATIENCE_S)[0].split() for process in workers]
    assert Counter(case for each in did for case in each) == dict.fromkeys(CASES, 1)
    assert look(tmp_path).done == set(CASES)


def test_the_case_of_a_killed_process_is_taken_over(tmp_path):
    first = worker(tmp_path, 0, pause=100.0, lease_s=0.5)
    taken = first.stdout.readline().strip()
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert look(tmp_path).claims == {taken: 0} and not look(tmp_path).over
    did = worker(tmp_path, 1, lease_s=0.5).communicate(timeout=PATIENCE_S)[0].split()
    assert sorted(did) == CASES and look(tmp_path).claims[taken] == 1


def test_a_slow_process_keeps_its_case(tmp_path):
    with Claims(tmp_path, ["a"], "slow", lease_s=0.3) as slow, Claims(tmp_path, ["a"], "other", lease_s=0.3) as other:
        assert next(slow.take()) == "a"
        time.sleep(0.7)
        assert list(other.take()) == [] and slow.is_mine
        assert slow.done() and look(tmp_path).done == {"a"}


def test_who_was_taken_for_lost_learns_so_and_counts_once(tmp_path):
    late, other = Claims(tmp_path, ["a"], "late", lease_s=0.2), Claims(tmp_path, ["a"], "other", lease_s=0.2)
    assert next(late.take()) == "a"
    late._ended.set()  # as a machine that stands still: nothing is touched
    late._thread.join()
    time.sleep(0.4)
    taking = other.take()
    assert next(taking) == "a" and not late.is_mine
    assert other.done() and not late.done()
    other.close()


def test_what_is_given_back_is_taken_by_the_next_at_once(tmp_path):
    with Claims(tmp_path, ["a", "b"], "first", lease_s=60) as first:
        assert next(first.take()) == "a"
    with Claims(tmp_path, ["a", "b"], "second", lease_s=60) as second:
        taken = []
        for case in second.take():
            taken.append(case)
            second.done()
    assert sorted(taken) == ["a", "b"]


def test_a_case_that_fails_is_not_tried_again_and_says_why(tmp_path):
    with Claims(tmp_path, ["a"], "first") as first:
        for _case in first.take():
            first.failed("case a: it cannot be read")
    with Claims(tmp_path, ["a"], "second") as second:
        assert list(second.take()) == []
    assert look(tmp_path).failed == {"a"} and reason_of(tmp_path, "a") == "case a: it cannot be read"


@pytest.mark.parametrize("number", range(3))
def test_of_many_that_find_a_lost_claim_one_takes_it(tmp_path, number):
    (tmp_path / "a.0").write_text("lost\n", encoding="utf-8")
    os.utime(tmp_path / "a.0", (0, 0))
    begin, won = threading.Barrier(8), []

    def race(owner: int) -> None:
        with Claims(tmp_path, ["a"], str(owner), lease_s=60) as claims:
            begin.wait()
            for _case in claims.take():
                won.append(owner)
                claims.done()

    racers = [threading.Thread(target=race, args=(owner,)) for owner in range(8)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert len(won) == 1


def test_a_look_at_thousands_is_one_listing(tmp_path):
    cases = [f"c{number}" for number in range(2000)]
    with Claims(tmp_path, cases, "one") as claims:
        for _case in claims.take():
            claims.done()
    assert claims.calls["listing"] == 2 and claims.calls["create"] == 2 * len(cases)
    assert claims.calls["stat"] == 0
