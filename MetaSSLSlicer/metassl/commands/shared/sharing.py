"""Have the tasks of a machine predict the cases of a project together, and watch them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from metassl.files.errors import ProjectError
from metassl.project.words import count as counted

from .bar import ProgressBar
from .console import Console, command_line, listing

if TYPE_CHECKING:
    from metassl.jobs.share import Share
    from metassl.project import Project, Round

POLL_S = 2.0


def launch(project: Project, found: Round, cases: Sequence[str] | None, on: str, tasks: int, device: str) -> Share:
    """A shared prediction, handed to the machine `on`. Raises ProjectError."""
    from metassl.jobs import get_launcher
    from metassl.jobs.share import Share
    from metassl.machines import read_machine

    machine = read_machine(on)
    launcher = get_launcher(machine.kind, machine.name)
    if not hasattr(launcher, "launch_share"):
        raise ProjectError(f"{on} is of the kind {machine.kind}, which has no tasks that share cases: leave out --on")
    chosen = list(cases) if cases is not None else waiting(project, found)
    if not chosen:
        raise ProjectError("nothing to predict: every case has a label, or a prediction of this round")
    made = Share.make(found, chosen, min(tasks, len(chosen)), device)
    try:
        share: Share = launcher.launch_share(made, found)
    except BaseException:
        shutil.rmtree(made.path, ignore_errors=True)  # of no job, it would wait for ever
        raise
    return share


def waiting(project: Project, found: Round) -> list[str]:
    """The unlabelled cases without a prediction; where the round did not end, all, as its model may have grown."""
    from metassl.jobs import last_status

    is_final = last_status(found).state == "finished"
    return [case.id for case in project.unlabelled_cases() if not (is_final and found.prediction(case.id).complete)]


def watch(project: Project, found: Round, share: Share, shown: Path, console: Console) -> int:
    """Until all cases are over or the tasks have ended; the exit code. Ctrl-C ends the watching alone."""
    from metassl.jobs import standing_of

    bar, total = ProgressBar(console.stream), len(share.cases)
    again = command_line("predict", shown, "--on", share.machine, "--tasks", share.tasks)
    try:
        while True:
            standing = standing_of(share.record)  # first: what a task has done before it ended is then seen
            seen = share.standings()
            bar.show("predicting", len(seen.over), total, details=standing.reason)
            if len(seen.over) >= total or standing.state == "ended":
                break
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        console.say("no longer watching; the tasks go on")
        return 130
    finally:
        bar.close()
    if not share.ended_path.exists():
        _conclude(project, found, share)
    failures = share.failures(seen.failed)
    over = seen.over
    left = [case for case in share.cases if case not in over]
    console.say(f"{counted(len(seen.done), 'case')} predicted by {counted(share.tasks, 'task')} on {share.machine}")
    for reason in list(failures.values())[:5]:
        console.say(f"left out: {reason}")
    if left:
        console.say(f"{counted(len(left), 'case')} left ({listing(left)}): {standing.reason}; the rest: {again}")
    console.result(
        {"share": share.number, "job": share.job, "predicted": sorted(seen.done), "failed": failures, "left": left}
    )
    return 1 if failures or left else 0


def _conclude(project: Project, found: Round, share: Share) -> None:
    from metassl.selection.conclude import conclude

    conclude(project, found, share)


def describe(share: Share) -> str:
    """ "120 of 10000 cases by 64 tasks on cluster (job 77)"."""
    seen = share.standings()
    by = f"{counted(share.tasks, 'task')} on {share.machine} (job {share.job})"
    return f"{len(seen.over)} of {counted(len(share.cases), 'case')} by {by}"
