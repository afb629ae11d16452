"""List the rounds, or choose one.

--use N reviews the predictions of round N, and evaluate, report, predict and
uncertainty take its model; --from N also lets the next training start from it
(roll back); --newest takes both choices back. Nothing is
deleted: every round stays where it is, and the next training is a new round.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from metassl.project.words import brief_duration

from .shared.console import Console, command_line
from .shared.options import add_json_option, count

if TYPE_CHECKING:
    from metassl.jobs.round_summary import RoundSummary
    from metassl.project import Project

SUMMARY = "list the rounds; review another one, or go on from it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("project", type=Path, metavar="PROJECT")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--use", type=count, metavar="N", help="review the predictions of round N")
    choice.add_argument("--from", dest="start", type=count, metavar="N", help="also train on from round N")
    choice.add_argument("--newest", action="store_true", help="go back to the newest round for both")
    add_json_option(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from metassl.jobs.round_summary import round_summaries
    from metassl.project import Project
    from metassl.project.round_choice import choose_newest, review_round, train_on_from

    project = Project.open(arguments.project)
    if arguments.use is not None:
        review_round(project, arguments.use)
    elif arguments.start is not None:
        train_on_from(project, arguments.start)
    elif arguments.newest:
        choose_newest(project)
    rounds = round_summaries(project)
    _show(project, arguments.project, rounds, console)
    shown, start = project.shown_round(), project.start_round()
    console.result(
        {
            "rounds": [found.to_json() for found in rounds],
            "shown": None if shown is None else shown.number,
            "start": None if start is None else start.number,
        }
    )
    return 0


def _show(project: Project, typed: Path, rounds: list[RoundSummary], console: Console) -> None:
    if not rounds:
        console.say("there is no round yet")
        console.say(f"next: {command_line('train', typed)}")
        return
    shown, start = project.shown_round(), project.start_round()
    table = [("round", "begun", "labels", "Dice", "time", "device", "state")]
    for found in rounds:
        table.append(
            (
                f"{found.number:04d}",
                found.created[:16].replace("T", " "),
                str(found.labels),
                "" if found.dice is None else f"{found.dice:.3f}",
                brief_duration(found.seconds) if found.seconds else "",
                found.device,
                found.state,
            )
        )
    console.table(table)
    if any(found.dice is not None for found in rounds):
        console.say("Dice: on the up to 4 validation cases watched while training; `metassl evaluate` measures all")
    names = {label.value: label.name for label in project.labels}
    for found in rounds:
        point = found.operating_point
        if point is not None and (point.used or point.one_piece or found is rounds[-1]):
            console.say(f"operating point of round {found.number:04d}: {point.describe(names)}")
    for found in rounds:
        if found.message:
            console.say(f"round {found.number:04d}: {found.message}")
    reviewed = "the newest predictions are" if shown is None else f"the predictions of {shown.title} are"
    console.say(f"{reviewed} reviewed")
    if start is not None:
        console.say(f"the next training starts from {start.title}")
