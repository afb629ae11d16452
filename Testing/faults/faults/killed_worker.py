"""The training worker is killed (SIGKILL) at random moments of every stage, and goes on.

Where a kill hit is read afterwards from the round's events and files, so that every stage gets its share. The rounds
that were killed must come to the very bits of one that nobody disturbed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
from metassl.files.atomic import TEMPORARY
from metassl.jobs import JobRecord, JobStatus, job_status, read_events
from metassl.jobs.start import start_training
from metassl.project import Project, Round

from .campaigns import Outcome
from .killed_worker_checks import kept_state, problems_after_kill, problems_at_end
from .killed_worker_cohort import ball_project, child_launcher, on_one_core

STAGES = ("starting", "training", "checkpoint writing", "calibrating", "measuring", "predicting", "ranking")
ITERATIONS = 24
SEED = 3
PROGRESSING = ("training", "predicting")  # what was done there before a kill is not done again
KILLS_PER_ROUND = 12
MISSES = 4  # so many kills in a row may hit another stage than the one that was meant
SLOW = "slow disk"
SPANS = dict(zip(STAGES, (1.0, 2.0, 0.1, 0.3, 0.2, 0.5, 0.05), strict=True))
"""Seconds after the beginning of a stage within which a kill shall fall, on a machine that is not known yet."""
ENGINE = Path(__file__).parents[3] / "MetaSSLSlicer"


@dataclass
class Tally:
    """What came of the kills so far."""

    hits: Counter = field(default_factory=Counter)
    lost: Counter = field(default_factory=Counter)
    messages: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def note(self, stage: str, problems: list[str], message: str) -> None:
        self.hits[stage] += 1
        self.lost[stage] += bool(problems)
        self.messages[stage] = problems[0] if problems else self.messages.get(stage, message)
        self.problems += [f"{stage}: {problem}" for problem in problems]


def run(times: int, folder: Path, seed: int) -> list[Outcome]:
    """Kill `times` times, every stage equally often; an outcome for each stage."""
    targets = Counter(STAGES[number % len(STAGES)] for number in range(times))
    tally = campaign(targets, folder, seed)
    for problem in tally.problems:
        print(f"  {problem}", file=sys.stderr)
    return [
        Outcome(
            f"worker killed, {stage}",
            tally.hits[stage],
            tally.lost[stage],
            tally.hits[stage] - tally.lost[stage],
            tally.messages.get(stage, ""),
        )
        for stage in targets
    ]


def campaign(targets: Counter, folder: Path, seed: int) -> Tally:
    """Rounds that are killed until every stage was hit as often as `targets` asks, or misses too often."""
    project, random, tally = ball_project(folder / "project", folder / "images"), np.random.default_rng(seed), Tally()
    with on_one_core(), child_launcher(SLOW, "faults.killed_worker_child"):
        first = wait(start_training(project, iterations=3, device="cpu", seed=SEED, launcher=SLOW))
        assert first.state == "finished", first.message
        reference = begin(project)
        wait(reference)
        spans = durations(reference)
        while left := targets - tally.hits:
            planned = random.permutation(list(left.elements()))[:KILLS_PER_ROUND]
            before = Counter(tally.hits)
            disturb(project, sorted(planned, key=STAGES.index), spans, random, tally, reference)
            if not any(tally.hits[stage] > before[stage] for stage in left):
                break
    return tally


def begin(project: Project, iterations: int = ITERATIONS) -> Round:
    """A new round that starts from the first one's model, as all of them do: they must all come to the same."""
    project.update_settings(start_round=1)
    return start_training(project, iterations=iterations, device="cpu", seed=SEED, new_round=True, launcher=SLOW)


def disturb(
    project: Project,
    planned: list[str],
    spans: dict[str, float],
    random: np.random.Generator,
    tally: Tally,
    reference: Round | None = None,
    iterations: int = ITERATIONS,
) -> None:
    """One round: it is killed as planned, goes on each time, and is compared with the reference, if any, at its end."""
    found, killed, hit = begin(project, iterations), False, ""
    before = kept_state(project, found)
    for meant in planned:
        span = spans[meant] / (planned.count(meant) if meant in PROGRESSING else 1)
        for _ in range(MISSES):
            if killed and (other := start_training(project, launcher=SLOW)) != found:
                raise AssertionError(f"{other} was begun, where {found} should have gone on")
            now_hit, status = kill_in(found, meant, span, random)
            if now_hit == "finished":
                break
            killed, hit = True, now_hit
            problems = problems_after_kill(project.path, found.number, before, status)
            tally.note(hit, problems, f"{status.message} {status.hint}")
            if STAGES.index(hit) >= STAGES.index(meant):
                break
        if job_status(found).state == "finished":
            break
    if killed:
        end = problems_at_end(found, finish_as_a_user(project, found), reference)
        tally.lost[hit] += bool(end)
        tally.problems += end


def finish_as_a_user(project: Project, found: Round) -> JobStatus:
    """`metassl train P` goes on with the round and shows it to its end."""
    if job_status(found).state != "finished":
        command = [sys.executable, "-m", "metassl", "train", str(project.path)]
        subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ENGINE)}, capture_output=True, timeout=300)
    return job_status(found)


def kill_in(found: Round, stage: str, span: float, random: np.random.Generator) -> tuple[str, JobStatus]:
    """Kill the worker at a random moment of a stage; the stage that was really hit, and what the status says then."""
    record = JobRecord.read(found.job_path)
    leftovers = _leftovers(found)
    while record.alive() and not _reached(found, record, stage, leftovers):
        time.sleep(0.002)
    time.sleep(random.uniform(0, span))
    if not record.alive():
        return "finished", job_status(found)
    os.kill(record.pid, signal.SIGKILL)
    record.wait(10)
    return _hit(found, record, leftovers), job_status(found)


def _reached(found: Round, record: JobRecord, stage: str, leftovers: set[str]) -> bool:
    if stage == "starting":
        return True
    stages = _stages(found, record)
    if stage == "checkpoint writing":
        return stages[-1:] == ["training"] and bool(_leftovers(found) - leftovers)
    return stage in stages


def _hit(found: Round, record: JobRecord, leftovers: set[str]) -> str:
    stages = _stages(found, record)
    if not stages or stages[-1] == "preparing":
        return "starting"
    if stages[-1] == "training" and _leftovers(found) - leftovers:
        return "checkpoint writing"
    return stages[-1]


def _stages(found: Round, record: JobRecord) -> list[str]:
    """The stages that this run of the worker has begun."""
    events = [event for event in read_events(found.events_path) if event.time >= record.launched]
    if any(event.event == "finished" for event in events):
        return ["finished"]
    return [event.stage for event in events if event.event == "stage"]


def _leftovers(found: Round) -> set[str]:
    return {path.name for path in found.checkpoints.glob(f"{TEMPORARY}*")}


def durations(reference: Round) -> dict[str, float]:
    """Seconds within which a kill shall fall, counted from the beginning of each stage."""
    events = read_events(reference.events_path)
    moments = [(e.stage, e.time) for e in events if e.event == "stage"] + [("finished", events[-1].time)]
    begun = {stage: datetime.fromisoformat(moment) for stage, moment in moments}
    launched = datetime.fromisoformat(JobRecord.read(reference.job_path).launched)
    order = ["training", "calibrating", "measuring", "predicting", "ranking", "finished"]
    spans = {a: (begun[b] - begun[a]).total_seconds() for a, b in zip(order, order[1:], strict=False)}
    spans["checkpoint writing"] = 0.1
    return {**spans, "starting": (begun["training"] - launched).total_seconds()}


def wait(found: Round, until=lambda status: status.is_over, seconds: float = 300.0) -> JobStatus:
    """The status of a round once `until` holds."""
    end = time.monotonic() + seconds
    while not until(status := job_status(found)):
        assert time.monotonic() < end, f"still {status} after {seconds} s: {found.log_path.read_text(encoding='utf-8')}"
        time.sleep(0.05)
    return status
