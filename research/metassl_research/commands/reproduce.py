"""Compare the losses of a framework, each seed with other labelled cases, and say how far it can be believed.

Every training has the same number of steps, so that a busy machine changes
nothing, and all are measured on the test cases, which none of them sees. Each
leaves one line in OUT; the same command goes on where it was, and does no
training twice. Where uniform and plain are the same training it is done once.
--table makes the tables from OUT; --page writes them into a page of Markdown.

  metassl reproduce --data Task04_Hippocampus --iterations 1000,5000 --out hippocampus.jsonl
  metassl reproduce --table --out hippocampus.jsonl --page docs/REPRODUCTION.md
"""

from __future__ import annotations

import argparse
from pathlib import Path

from metassl.choices.defaults import PLANS
from metassl.commands.shared.console import Console
from metassl.commands.shared.options import add_device_option, add_json_option, count
from metassl.project.words import count as counted

from .options import (
    add_data_option,
    add_yes_option,
    data_name,
    open_experiment,
    refuse_without_ending,
    resumable,
    tell_of_lines,
)

SUMMARY = "what MetaSSL brings: losses side by side, other labelled cases with every seed"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_data_option(parser)
    parser.add_argument("--iterations", default="1000", metavar="N,N", help="steps of a training (default: 1000)")
    parser.add_argument("--labelled", default="3,8", metavar="N,N", help="numbers of labelled cases (default: 3,8)")
    parser.add_argument("--frameworks", default="cps,mt", metavar="A,B", help="default: cps,mt")
    losses = "plain,uniform,metassl,official"
    parser.add_argument("--losses", default=losses, metavar="A,B", help=f"default: {losses}")
    parser.add_argument("--seeds", type=count, default=5, metavar="N", help="seeds 0 to N - 1 (default: 5)")
    parser.add_argument("--plan", choices=PLANS, default="auto", help="slices one by one (2d), or volumes (3d)")
    add_device_option(parser, default="cpu")
    parser.add_argument("--work", type=Path, metavar="DIR", help="where it trains (default: OUT without its suffix)")
    default = Path("reproduction.jsonl")
    parser.add_argument("--out", type=Path, default=default, metavar="FILE", help=f"default: {default}")
    parser.add_argument("--table", action="store_true", help="only make the tables from --out")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write them into this page, between its two marks")
    add_yes_option(parser)
    add_json_option(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from metassl_research.reproduction import page
    from metassl_research.reproduction.runs import read_runs

    failed = {} if arguments.table else _train(arguments, console)
    runs = read_runs(arguments.out)
    tell_of_lines(runs, failed, arguments, console)
    console.table(page.difference_rows(runs))
    console.say()
    console.table(page.arm_rows(runs))
    if arguments.page is not None:
        page.write_page(arguments.page, runs, arguments.out)
    found = [
        {"steps": steps, "labelled": labelled, "framework": framework, "of": [first, second], **vars(each)}
        for ((steps, labelled, framework), first, second), each in page.differences(runs).items()
    ]
    console.result({"runs": len(runs), "differences": found, "results": arguments.out, "failed": failed})
    return 1 if failed else 0


def _train(arguments: argparse.Namespace, console: Console) -> dict[str, str]:
    from metassl_research.benchmark.settings import chosen_counts, chosen_frameworks, chosen_losses
    from metassl_research.marked_page import check_page
    from metassl_research.reproduction.runs import Reproduction, Settings
    from metassl_research.resumable import tell

    refuse_without_ending(arguments)
    check_page(arguments.page, arguments.out)
    settings = Settings(
        data=data_name(arguments),
        iterations=chosen_counts(arguments.iterations, "iterations"),
        labelled=chosen_counts(arguments.labelled),
        frameworks=chosen_frameworks(arguments.frameworks),
        losses=chosen_losses(arguments.losses),
        seeds=arguments.seeds,
        device=arguments.device,
        plan=arguments.plan,
    )
    settings.runs()
    reproduction = Reproduction(open_experiment(arguments, validate=False), settings, arguments.out, tell)
    console.say(f"{counted(len(reproduction.left()), 'training')} to go")
    with resumable("reproduce", arguments, console):
        failed = reproduction.run()
    for reason in failed.values():
        console.warn(reason)
    return failed
