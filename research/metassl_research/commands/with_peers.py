"""What `metassl peers` and `metassl adapt` share: their options, the run, the tables."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metassl.commands.shared.console import Console
from metassl.commands.shared.options import add_device_option, count
from metassl.training.eta import CLOCKS

from .options import add_data_option, add_yes_option, data_name, resumable, tell_of_lines, trainings_left

if TYPE_CHECKING:
    from metassl_research.peers.runs import Peers


def add_shared_arguments(parser: argparse.ArgumentParser, minutes: str, labelled: str, out: Path) -> None:
    add_data_option(parser)
    parser.add_argument("--minutes", default=minutes, metavar="M,M", help=f"of each training (default: {minutes})")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="what the minutes are counted on")
    labels = f"numbers of labelled cases (default: {labelled})"
    parser.add_argument("--labelled", default=labelled, metavar="N,N", help=labels)
    parser.add_argument("--seeds", type=count, default=3, metavar="N", help="seeds 0 to N - 1 (default: 3)")
    parser.add_argument("--nnunet", metavar="PYTHON", help="a Python that has nnunetv2 (default: this one)")
    looks = "shares of its time at which a training is measured on the way (default: 0.25,0.5,0.75)"
    parser.add_argument("--looks", default="0.25,0.5,0.75", metavar="S,S", help=looks)
    add_device_option(parser)
    parser.add_argument("--work", type=Path, metavar="DIR", help="where it trains (default: OUT without its suffix)")
    parser.add_argument("--out", type=Path, default=out, metavar="FILE", help=f"default: {out}")
    parser.add_argument("--table", action="store_true", help="only make the tables from --out")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write them into this page, between its two marks")
    add_yes_option(parser)


def shared_settings(arguments: argparse.Namespace, arms: Sequence[str]) -> dict[str, Any]:
    """What the options that both have say, by the names of the settings. arms: those that there are."""
    from metassl_research.benchmark.settings import chosen, chosen_counts
    from metassl_research.peers.settings import chosen_looks, chosen_minutes

    return {
        "data": data_name(arguments),
        "arms": chosen(arguments.arms, arms, "arm"),
        "labelled": chosen_counts(arguments.labelled),
        "minutes": chosen_minutes(arguments.minutes),
        "seeds": arguments.seeds,
        "clock": arguments.clock,
        "device": arguments.device,
        "looks": chosen_looks(arguments.looks),
    }


def compare(command: str, peers: Peers, arguments: argparse.Namespace, console: Console) -> dict[str, str]:
    """Do what is left. {run: reason} of what failed."""
    left = peers.left()
    console.say(trainings_left(len(left), sum(run.minutes for run in left) / len(left) if left else None))
    with resumable(command, arguments, console):
        failed = peers.run()
    for reason in failed.values():
        console.warn(reason)
    return failed


def show(arguments: argparse.Namespace, console: Console, failed: dict[str, str]) -> int:
    """The tables, on the terminal and where the page has a place for them."""
    from metassl_research.peers import page
    from metassl_research.peers.runs import read_runs

    runs = read_runs(arguments.out)
    tell_of_lines(runs, failed, arguments, console)
    for rows in (page.arm_rows(runs), page.time_rows(runs), page.difference_rows(runs)):
        if len(rows) > 1:
            console.table(rows)
            console.say()
    if arguments.page is not None:
        page.write_page(arguments.page, runs, arguments.out)
    found = [
        {**cell._asdict(), "of": [first, second], **vars(each)}
        for (cell, first, second), each in page.differences(runs).items()
    ]
    console.result({"runs": len(runs), "differences": found, "results": arguments.out, "failed": failed})
    return 1 if failed else 0
