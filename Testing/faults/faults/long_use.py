"""Campaign: months of use. The panel does not grow, a large project opens at once, and so does a long story of a job.

Nothing is injected here: `times` counts what was done, `lost` what grew, took too long or came out wrong.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from metassl.jobs import JobRecord, JobWriter, StatusFold, last_status, read_events
from metassl.project import Case, LabelDefinition, Project, Round
from MetaSSLSlicerLib.Logic.Training.TrainingJob import JobGlance

from .campaigns import Outcome
from .panel import PATHS

CASES_PER_ROUND, EVENTS_PER_ROUND = 50, 5000  # 200 rounds: 10,000 cases and 1,000,000 events
FEWEST_ROUNDS = 60
"""In fewer the memory still settles."""
OPEN_S, ATTACH_S = 2.0, 1.0
MOST_MEMORY = 200.0
"""KiB that a round may leave behind for good; a case that is kept would be 1300."""


ONE_HEAP = {"MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "65536", "MALLOC_MMAP_THRESHOLD_": "65536"}
"""glibc keeps a heap for each thread, and what was freed in them; so, what is resident is what somebody holds."""


def panel_rounds(rounds: int, folder: Path) -> list[dict[str, int]]:
    """The counts after each round of open, edit, save and next; see long_use_panel.py."""
    command = [sys.executable, "-m", "faults.long_use_panel", str(folder), str(rounds)]
    environment = {**os.environ, **ONE_HEAP, "PYTHONPATH": os.pathsep.join(PATHS), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8")
    if done.returncode:
        raise RuntimeError(f"the panel broke: {done.stderr[-2000:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def growth(counts: list[dict[str, int]]) -> dict[str, float]:
    """What a round adds to each count: the slope of a straight line through all rounds after the first third."""
    later = counts[len(counts) // 3 :]
    return {name: float(np.polyfit(range(len(later)), [each[name] for each in later], 1)[0]) for name in later[0]}


def grown(counts: list[dict[str, int]]) -> list[str]:
    """The counts that are not flat."""
    return [name for name, more in growth(counts).items() if more > (MOST_MEMORY if name == "memory" else 1e-6)]


def large_project(cases: int, folder: Path) -> Project:
    """A project of so many cases; their images are never looked at."""
    project = Project.create(folder, "Large", [LabelDefinition(1, "Liver")], ["CT"])
    project.add_cases([Case(f"patient_{number:05}", [f"/scans/{number}.nii.gz"]) for number in range(cases)])
    return project


def long_story(events: int, folder: Path) -> Round:
    """A round whose job has told so many events, as the worker tells them."""
    found = large_project(1, folder).new_round({"labels": {}})
    JobRecord.of(os.getpid(), device="cpu").write(found.job_path)
    with JobWriter(found) as writer:
        writer.write("started", device="cpu", pid=os.getpid())
        writer.write("stage", stage="training", total=events)
        for step in range(2, events):
            if step % 1000 == 0:
                writer.write("warning", message=f"step {step // 100_000}: a warning now and then")
            else:
                writer.write("progress", stage="training", step=step, total=events, loss={"total": 1 / step})
    return found


def seconds(work: Callable[[], object], tries: int = 3) -> float:
    """The least computing time that the work takes: a computer that is busy for a moment is no fault."""
    took = []
    for _ in range(tries):
        begin = time.process_time()
        work()
        took.append(time.process_time() - begin)
    return min(took)


def wrong_status(found: Round) -> list[str]:
    """What the status says otherwise than the whole history, and not the clock's doing."""
    said, history = last_status(found).to_json(), StatusFold().update(read_events(found.events_path)).to_json()
    return [name for name in history if name != "elapsed_s" and said[name] != history[name]]


def run(times: int, folder: Path, seed: int) -> list[Outcome]:
    """`times` rounds in the panel (60 at least), 50 cases and 5000 events for each."""
    rounds = max(times, FEWEST_ROUNDS)
    counts = panel_rounds(rounds, folder)
    bad = grown(counts)
    last = ", ".join(f"{name} {value}" for name, value in counts[-1].items())
    told = f"at the end: {last}; each round adds {growth(counts)['memory']:.0f} KiB"
    found = [Outcome("rounds of open, edit, save, next", rounds, len(bad), rounds * (not bad), told)]

    cases = CASES_PER_ROUND * times
    project = large_project(cases, folder / "large")
    took = seconds(lambda: Project.open(project.path))
    bad = took >= OPEN_S or len(Project.open(project.path).cases) != cases
    told = f"open after {took:.2f} s"
    found.append(Outcome("a project of many cases is opened", cases, int(bad), cases * (not bad), told))

    events = EVENTS_PER_ROUND * times
    story = long_story(events, folder / "story")
    took = seconds(lambda: JobGlance.of(Project.open(story.project_path), None))
    wrong = wrong_status(story)
    bad = took >= ATTACH_S or bool(wrong)
    told = f"attached after {took:.2f} s" + (f"; wrong: {wrong}" if wrong else "")
    found.append(Outcome("a job that has told many events", events, int(bad), events * (not bad), told))
    return found
