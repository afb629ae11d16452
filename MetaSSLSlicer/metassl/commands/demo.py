"""From nothing to a report: label three cases, train, see where the model is unsure.

Without --data the images are made up on the spot (24 small volumes); nothing
is downloaded. With --data DIR it is a folder in the layout of the Medical
Segmentation Decathlon, of which three cases keep their labels.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metassl.files.errors import ProjectError
from metassl.project.words import count, duration

from .shared.console import Console, command_line
from .shared.options import minutes

if TYPE_CHECKING:
    from metassl.project import Project, Round

SUMMARY = "watch the whole loop once, on made-up images or your own"
LABELLED = 3
SHOWN = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=Path("demo-out"), metavar="DIR", help="default: demo-out")
    parser.add_argument("--data", type=Path, metavar="DIR", help="a Decathlon-style folder of images")
    parser.add_argument(
        "--minutes",
        type=minutes,
        default=2.0,
        metavar="M",
        help="of training (default: 2)",
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    from metassl.evaluation.report.write import write_report
    from metassl.intake import new_project
    from metassl.jobs.start import start_training

    from .shared.follow import follow
    from .shared.measuring import choose, evaluate_project

    begin, data = time.monotonic(), arguments.data
    out = _free_folder(arguments.out)
    source = _images(out, data, console)
    truth = source / "labelsTr" if data is not None else source / "truthTr"
    if not truth.is_dir():
        raise ProjectError(f"{source} has no folder labelsTr: the demo takes a Decathlon-style folder")

    console.say(f"\n2. A project with {LABELLED} labelled cases; the labels of all others stay hidden")
    shown = out / "project"
    project, warnings = new_project(shown, source, labelled=LABELLED)
    for warning in warnings:
        console.warn(warning)
    labelled = ", ".join(case.id for case in project.labelled_cases())
    console.say(f"   {count(len(project.cases), 'case')} in {shown}, labelled: {labelled}")

    console.say(
        f"\n3. Training in the background for {duration(60 * arguments.minutes)} (Ctrl-C stops watching, not training)"
    )
    found = start_training(project, minutes=arguments.minutes)
    try:
        status = follow(found, console)
    except KeyboardInterrupt:
        console.say("no longer watching; the training goes on in the background")
        console.say(f"  {command_line('status', shown, '--follow')}")
        return 130
    if status.state != "finished":
        console.say(f"the training {status.state}: {status.message} {status.hint}".rstrip())
        console.say(f"its log is {found.log_path}")
        return 1
    console.say(f"   {count(status.predicted, 'case')} predicted and ranked after {duration(status.elapsed_s)}")

    choice = choose(project, truth, None)
    console.say(f"\n4. Measuring on {count(len(choice.truths), 'case')} that it never saw a label of")
    result = evaluate_project(project, found, choice, "auto", console)
    page = write_report(project, found, out / "report.html", result)
    _conclude(project, shown, found, result, page, truth, console)
    console.say(f"\nThe demo took {duration(time.monotonic() - begin)}.")
    return 0


def _free_folder(out: Path) -> Path:
    """`out`, or `out`-2, `out`-3, ... where something is in it: nothing is overwritten."""
    folder, number = out, 1
    while folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        number += 1
        folder = out.with_name(f"{out.name}-{number}")
    return folder


def _images(out: Path, data: Path | None, console: Console) -> Path:
    if data is not None:
        console.say(f"1. The images are those of {data}")
        return data
    from metassl.demo.cohort import make_cohort

    console.say("1. Making up 24 small volumes with two structures that touch")
    return make_cohort(out / "cohort")


def _conclude(
    project: Project,
    shown: Path,
    found: Round,
    result: dict[str, Any],
    page: Path,
    truth: Path,
    console: Console,
) -> None:
    from metassl.evaluation.table import format_table
    from metassl.project.round_files import read_ranking

    console.say("\n" + format_table(result))
    ranking = read_ranking(found).cases
    if ranking:
        console.say("\nLook here first:")
        console.table([(entry.case, entry.reason) for entry in ranking[:SHOWN]])
    console.say(f"\nThe report, to open in a browser: {page}")
    console.say("\nNext, in the order of the loop:")
    case = ranking[0].case if ranking else "CASE"
    file = next((p for p in sorted(truth.glob(f"{case}.*"))), Path("FILE"))
    console.commands(
        [
            (command_line("status", shown), "where it stands"),
            (
                command_line("label", shown, case, file),
                "what a reviewer would do in Slicer",
            ),
            (command_line("train", shown), "the next round, from this model"),
            (command_line("evaluate", shown, "--truth", truth), "better than before?"),
            (command_line("--help"), "everything else"),
        ]
    )
