"""Compare ours with what people use: the same cases, machine and minutes, other labelled cases with every seed.

The peers are nnU-Net v2 (--nnunet names a Python that has it, such as that of an
environment with `pip install nnunetv2`) and the segmentation app of MONAI Label
with its published settings. All are measured on the test cases, which none of
them sees. Planning and reading take nothing of the minutes, and looking at a
training on the way neither. With --clock processor the minutes are those of the
processor, which other programs take nothing of.

Each training leaves one line in OUT; the same command goes on where it was.
--table makes the tables from OUT; --page writes them into a page of Markdown.

  metassl peers --data Task04_Hippocampus --labelled 3 --minutes 4,15,60 --nnunet venv/bin/python --out peers.jsonl
  metassl peers --table --out peers.jsonl --page docs/benchmarks.md
"""

from __future__ import annotations

import argparse
from pathlib import Path

from metassl.commands.shared.console import Console
from metassl.commands.shared.options import add_json_option

from .options import open_experiment, refuse_without_ending
from .simulate import CHAPTER as CHAPTER
from .with_peers import add_shared_arguments, compare, shared_settings, show

SUMMARY = "ours beside nnU-Net and MONAI Label: the same cases and minutes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_shared_arguments(parser, minutes="4,15,60", labelled="3", out=Path("peers.jsonl"))
    parser.add_argument(
        "--arms",
        default="metassl,nnunet,monailabel",
        metavar="A,B",
        help="of metassl, uniform, plain, supervised (ours without the unlabelled images), each also as -wide (twice "
        "the filters), -full (a level at full resolution) and -both, nnunet, nnunet-1000 (its own schedule, cut off) "
        "and monailabel (default: metassl,nnunet,monailabel)",
    )
    add_json_option(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    failed = {} if arguments.table else _train(arguments, console)
    return show(arguments, console, failed)


def _train(arguments: argparse.Namespace, console: Console) -> dict[str, str]:
    from metassl_research.marked_page import check_page
    from metassl_research.peers.runs import Peers
    from metassl_research.peers.settings import ARMS, Settings
    from metassl_research.resumable import tell

    refuse_without_ending(arguments)
    check_page(arguments.page, arguments.out)
    settings = Settings(**shared_settings(arguments, ARMS))
    experiment = open_experiment(arguments, validate=False)
    return compare("peers", Peers(experiment, settings, arguments.out, tell, arguments.nnunet), arguments, console)
