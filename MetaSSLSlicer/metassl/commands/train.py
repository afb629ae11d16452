"""Train on the labelled cases and on the images of all others, then predict those and rank them.

The training runs in a process of its own: this command only watches it, and
Ctrl-C ends the watching. A training that was stopped or killed goes on where
it was; otherwise a new round begins, from the former round's model.

Cases come in the order in which they are worth a review, as far as a quick look at
them tells, and each can be reviewed as soon as it is predicted. One that is opened
comes first. What --predict leaves out is predicted when it is opened in Slicer, or
by `metassl predict`.

Where a project has begun with a model, that predicts first, if it has not yet; then
comes the training, where there are labels.

  metassl train liver
  metassl train liver --quality good --predict 20
  metassl train liver --minutes 30 --device cuda --detach
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from metassl.choices.defaults import DEFAULTS, PIECES, PLANS
from metassl.choices.frameworks import FRAMEWORKS, LOSSES
from metassl.choices.quality import MEMORY, QUALITIES
from metassl.project.words import count as counted
from metassl.project.words import duration

from .shared.console import Console, command_line
from .shared.options import add_device_option, add_json_option, count, minutes

if TYPE_CHECKING:
    from metassl.jobs import JobStatus
    from metassl.project import Project, Round

SUMMARY = "train, then predict and rank all other cases"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("project", type=Path, metavar="PROJECT")
    parser.add_argument("--detach", action="store_true", help="do not watch; see `metassl status`")
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--minutes", type=minutes, metavar="M", help="until the first case can be reviewed (default: by the quality)"
    )
    length.add_argument("--iterations", type=count, metavar="N", help="train for so many steps instead")
    described = "; ".join(f"{each.name}: {duration(60 * each.minutes)}, {each.summary}" for each in QUALITIES.values())
    parser.add_argument("--quality", choices=QUALITIES, help=f"{described}; {MEMORY} (default: {DEFAULTS['quality']})")
    parser.add_argument(
        "--predict", type=count, metavar="N", help="predict the N cases only that are worth most (default: all)"
    )
    add_device_option(parser, default=None)
    parser.add_argument("--framework", choices=FRAMEWORKS, help="the framework; see `metassl frameworks`")
    parser.add_argument(
        "--host", dest="framework", choices=FRAMEWORKS, default=argparse.SUPPRESS, help=argparse.SUPPRESS
    )
    parser.add_argument("--loss", choices=LOSSES, help="what it learns by; see `metassl frameworks`")
    parser.add_argument("--plan", choices=PLANS, help="slices one by one (2d), volumes (3d), or by the images")
    parser.add_argument(
        "--pieces", choices=PIECES, help="all: show small pieces, too, of a structure that is one in all annotations"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="the same seed, the same training")
    parser.add_argument("--fresh", action="store_true", help="do not start from the former round's model")
    parser.add_argument("--new-round", action="store_true", help="leave a stopped round as it is and begin another")
    parser.add_argument("--on", metavar="NAME", help="the machine to train on, or local; see `metassl machines`")
    add_json_option(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from metassl.jobs import JobRecord
    from metassl.jobs.start import start_training
    from metassl.machines import read_machine
    from metassl.project import Project
    from metassl.project.cases import unseen_structures

    from .shared.follow import follow, last_seq

    is_named = arguments.on not in (None, "local")
    machine = read_machine(arguments.on) if is_named else None
    project = Project.open(arguments.project)
    for name in unseen_structures(project.labels, project.labelled_cases()):
        console.warn(f"no labelled case shows {name}: it cannot be learnt until one does")
    former = project.latest_round()
    told = last_seq(former)

    def start() -> Round:
        return start_training(
            project,
            framework=arguments.framework,
            loss=arguments.loss,
            plan=arguments.plan,
            iterations=arguments.iterations,
            minutes=arguments.minutes,
            device=arguments.device,
            seed=arguments.seed,
            quality=arguments.quality,
            predict=arguments.predict,
            pieces=arguments.pieces,
            fresh=arguments.fresh,
            new_round=arguments.new_round,
            launcher=arguments.on if machine is None else machine.kind,
            machine="" if machine is None else machine.name,
        )

    found = start()
    resumed = found == former
    only_predicts = found.has_source and bool(project.labelled_cases())
    watch = command_line("status", arguments.project, "--follow")
    stop = command_line("stop", arguments.project)
    if arguments.detach:
        record = JobRecord.read(found.job_path)
        pid = None if record is None else record.pid
        if record is not None and record.job:
            console.say(f"{found.title} is the job {record.job} on {record.machine}")
        else:
            console.say(f"{found.title} {'predicts' if found.has_source else 'trains'} in the background (pid {pid})")
        if only_predicts:
            console.say("it predicts with the model that the project began with: train again when it has ended")
        console.commands([(watch, "watch it"), (stop, "stop it")])
        where = {} if record is None or not record.job else {"machine": record.machine, "job": record.job}
        state = "queued" if where else "running"
        console.result({"round": found.number, "resumed": resumed, "state": state, "pid": pid, **where})
        return 0
    console.say(f"{found.title} {'goes on' if resumed else 'begins'}")
    try:
        status = follow(found, console, after=told if resumed else 0)
        if only_predicts and status.state == "finished":
            found = start()
            console.say(f"{found.title} begins, from the model of round 0")
            status = follow(found, console)
    except KeyboardInterrupt:
        console.say("no longer watching; the training goes on in the background")
        console.commands([(watch, "watch it again"), (stop, "stop it")])
        return 130
    return conclude(project, arguments.project, found, status, console)


def conclude(project: Project, shown: Path, found: Round, status: JobStatus, console: Console) -> int:
    """Say how the training ended and what to type next; the exit code."""
    from .shared.advice import next_case, next_steps
    from .shared.follow import describe_validation

    took = f" after {duration(status.elapsed_s)}"
    console.say(f"{found.title} {status.state}{took}: {counted(status.predicted, 'case')} predicted")
    if dice := describe_validation(status.validation):
        console.say(f"validation {dice}")
    if status.state == "paused":
        console.say("it was stopped, and nothing is lost")
    if status.message:
        console.say(f"problem: {status.message}")
    if status.hint:
        console.say(f"hint: {status.hint}")
    first = next_case(project, found)
    if first is not None:
        console.say(f"look next at {first.case}: {first.reason}")
    console.say("next:")
    steps = next_steps(project, shown, found, status)
    console.commands([(step.command, step.why) for step in steps])
    console.result({"round": found.number, **status.to_json(), "next_case": None if first is None else asdict(first)})
    return 0 if status.state == "finished" else 1
