"""Where the project and its training stand, and what to type next.

--follow attaches to a running training from any terminal; Ctrl-C ends the
following, never the training.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metassl.files.errors import MetaSSLError
from metassl.project.words import brief_duration
from metassl.project.words import count as counted

from .shared.console import Console, listing
from .shared.options import add_json_option

if TYPE_CHECKING:
    from metassl.jobs import JobStatus
    from metassl.project import Case, Project, Round
    from metassl.project.records import RankedCase

SUMMARY = "see where it stands and what to type next (--follow watches)"

_STATE_WORDS = {
    "unlabelled": "untouched",
    "in_progress": "being annotated",
    "labelled": "labelled",
    "predicted": "predicted, to be reviewed",
    "accepted": "prediction accepted",
    "accepted unseen": "prediction accepted unseen",
    "corrected": "prediction corrected",
    "rejected": "prediction rejected",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("project", type=Path, metavar="PROJECT")
    parser.add_argument("--follow", action="store_true", help="watch the running training until it ends")
    parser.add_argument("--cases", action="store_true", help="list every case by name")
    add_json_option(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from metassl.jobs import job_status
    from metassl.project import Project

    from .shared.follow import follow

    project = Project.open(arguments.project)
    found = project.latest_round()
    status = None if found is None else job_status(found)
    if arguments.follow and found is not None and status is not None and not status.is_over:
        try:
            status = follow(found, console)
        except KeyboardInterrupt:
            console.say("no longer following; the training goes on")
            return 130
    show(project, arguments.project, found, status, console, arguments.cases)
    return 1 if arguments.follow and status is not None and status.state == "failed" else 0


def show(
    project: Project,
    shown: Path,
    found: Round | None,
    status: JobStatus | None,
    console: Console,
    each_case: bool = False,
) -> None:
    """Print the state of a project, for people or as JSON."""
    from metassl.project.cases import unseen_structures
    from metassl.project.coverage import silent_labels
    from metassl.project.round_files import read_notes

    from .shared.advice import labels_since, next_case, next_steps

    cases = list(project.cases.values())
    first = None if found is None else next_case(project, found)
    steps = next_steps(project, shown, found, status)
    console.say(f"{project.name} ({shown})")
    console.say(f"  structures  {', '.join(f'{label.value} {label.name}' for label in project.labels)}")
    labelled = project.labelled_cases()
    for name in unseen_structures(project.labels, labelled):
        console.say(f"  note        no labelled case shows {name}: it cannot be learnt until one does")
    silent = silent_labels(project.labels, labelled)
    for name, number in silent.items():
        say = "says" if number == 1 else "say"
        console.say(f"  note        {name}: {number} of {counted(len(labelled), 'label')} {say} nothing about it")
    _show_cases(cases, console)
    if each_case:
        notes = {} if found is None else read_notes(found)[0]
        rows = [(c.id, c.split, _STATE_WORDS[_state(c)] + _how_far(c), notes.get(c.id, "")) for c in cases]
        console.table([("case", "group", "state", ""), *rows], indent=14)
    if found is not None and status is not None:
        _show_round(project, found, status, console)
        new = labels_since(project, found)
        if new and status.state == "finished":
            console.say(f"  new labels  {len(new)} since that round ({listing(new)})")
    reviewed = project.shown_round()
    if reviewed is not None and found is not None and reviewed.number != found.number:
        console.say(f"  reviewed    {reviewed.title}, as chosen; `metassl rounds --newest` takes that back")
    start = project.settings.get("start_round")
    if start is not None and found is not None and start != found.number:
        console.say(f"  goes on     from round {start:04d}, as chosen; `metassl rounds --newest` takes that back")
    if first is not None:
        console.say(f"  next case   {first.case}: {first.reason}")
    console.say("next:")
    console.commands([(step.command, step.why) for step in steps])
    content = _as_json(project, cases, found, status, first, steps)
    content["silent"] = silent
    if each_case:
        content["case_list"] = [{"case": c.id, "split": c.split, "state": _state(c), "looked": c.looked} for c in cases]
    console.result(content)


def _how_far(case: Case) -> str:
    if case.is_partial:
        return ", partly"
    return "" if case.looked is None else f", {counted(len(case.looked), 'slice')} looked at"


def _show_cases(cases: list, console: Console) -> None:
    for split, title in (("pool", "cases"), ("validation", "validation"), ("test", "test"), ("aside", "set aside")):
        states = Counter(_state(case) for case in cases if case.split == split)
        if not states and split != "pool":
            continue
        # Validation and test cases that nobody touches are as they should be.
        told = [s for s in _STATE_WORDS if states[s] and (split == "pool" or s != "unlabelled")]
        parts = ", ".join(f"{states[state]} {_STATE_WORDS[state]}" for state in told)
        partly = sum(case.is_partial for case in cases if case.split == split)
        parts += f"; {partly} of them partly" if partly and split == "pool" else ""
        console.say(f"  {title:<11} {states.total()}{f': {parts}' if parts else ''}")


def _state(case: Case) -> str:
    return "accepted unseen" if case.unseen else case.state


def _show_round(project: Project, found: Round, status: JobStatus, console: Console) -> None:
    from metassl.jobs import standing_of
    from metassl.jobs.share import shares_of
    from metassl.project.round_files import read_operating_point

    from .shared.follow import describe_device, describe_validation
    from .shared.sharing import describe

    words = [f"{status.state} on {status.machine}" if status.machine else status.state]
    if status.state in ("queued", "running", "paused", "interrupted", "failed") and status.stage:
        place = f" {status.step}/{status.total}" if status.total else ""
        words.append(f"{status.stage}{place}")
    if status.state == "running" and status.eta_s is not None:
        words.append(f"{brief_duration(status.eta_s)} left")
    if status.elapsed_s:
        words.append(brief_duration(status.elapsed_s) + ("" if status.is_over else " so far"))
    words.append(describe_device(status))
    console.say(f"  {found.title}  {', '.join(filter(None, words))}")
    if status.state == "queued" and status.queue:
        console.say(f"  waits       {status.queue}")
    if status.plan.get("summary"):
        console.say(f"  plan        {status.plan['summary']}")
    if dice := describe_validation(status.validation):
        console.say(f"  validation  {dice}")
    try:
        point = read_operating_point(found)
    except MetaSSLError as error:
        console.say(f"  note        {error}")
        point = None
    if point is not None:
        names = {label.value: label.name for label in project.labels}
        console.say(f"  op. point   {point.describe(names)}")
    for share in shares_of(found)[-1:]:
        if not share.ended_path.exists():
            console.say(f"  shared      {describe(share)}: {standing_of(share.record).reason}")
    if status.predicted:
        console.say(f"  predicted   {counted(status.predicted, 'case')}")
    for warning in status.warnings[-3:]:
        console.say(f"  note        {warning}")
    for case, reason in list(status.failed_cases.items())[:5]:
        console.say(f"  left out    {reason or case}")
    if status.message:
        console.say(f"  problem     {status.message}")
    if status.hint:
        console.say(f"  hint        {status.hint}")


def _as_json(
    project: Project,
    cases: list,
    found: Round | None,
    status: JobStatus | None,
    first: RankedCase | None,
    steps: list,
) -> dict[str, Any]:
    splits = {split: Counter(_state(c) for c in cases if c.split == split) for split in ("pool", "validation", "test")}
    content: dict[str, Any] = {
        "project": project.path,
        "name": project.name,
        "labels": {label.name: label.value for label in project.labels},
        "cases": {split: dict(states) for split, states in splits.items()},
        "round": None,
        "next_case": None if first is None else asdict(first),
        "next": [{"command": step.command, "why": step.why} for step in steps],
    }
    if found is not None and status is not None:
        content["round"] = {"number": found.number, **status.to_json()}
    return content
