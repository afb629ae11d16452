"""Compare ways of bringing a model to another scanner, with few labels or none.

nnU-Net v2 is trained on the last training cases with intensities and voxels
changed as another scanner might (--source-cases, --source-minutes). Then the
others are to be segmented as they are: by that model as it is, by nnU-Net's own
fine-tuning (-pretrained_weights), and by ours, plain and metassl, as after
`metassl new --model`; with the same labelled cases and minutes, others with every
seed. With no label at all nothing is trained: round 0 is the model as it is.

Minutes, OUT, --table and --page are as in `metassl peers`.

  metassl adapt --data Task04_Hippocampus --labelled 1,3 --minutes 4 --nnunet venv/bin/python --out adapt.jsonl
  metassl adapt --table --out adapt.jsonl --page docs/benchmarks.md
"""

from __future__ import annotations

import argparse
from pathlib import Path

from metassl.commands.shared.console import Console
from metassl.commands.shared.options import add_json_option, count, minutes

from .options import open_experiment, refuse_without_ending
from .simulate import CHAPTER as CHAPTER
from .with_peers import add_shared_arguments, compare, shared_settings, show

SUMMARY = "a model of another scanner: as it is, fine-tuned by nnU-Net, and by ours"
ARMS = "nnunet-finetuned,plain,metassl"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_shared_arguments(parser, minutes="4", labelled="1,3", out=Path("adapt.jsonl"))
    parser.add_argument("--arms", default=ARMS, metavar="A,B", help=f"besides the model as it is (default: {ARMS})")
    parser.add_argument("--source-cases", type=count, default=20, metavar="N", help="default: 20")
    parser.add_argument("--source-minutes", type=minutes, default=15.0, metavar="M", help="default: 15")
    add_json_option(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    failed = {} if arguments.table else _train(arguments, console)
    return show(arguments, console, failed)


def _train(arguments: argparse.Namespace, console: Console) -> dict[str, str]:
    from metassl_research.marked_page import check_page
    from metassl_research.peers.adapt import Adaptation
    from metassl_research.peers.settings import ADAPT_ARMS, AdaptSettings, Source
    from metassl_research.resumable import tell

    refuse_without_ending(arguments)
    check_page(arguments.page, arguments.out)
    source = Source(arguments.source_cases, arguments.source_minutes)
    settings = AdaptSettings(**shared_settings(arguments, ADAPT_ARMS), source=source)
    experiment = open_experiment(arguments, validate=False)
    return compare("adapt", Adaptation(experiment, settings, arguments.out, tell, arguments.nnunet), arguments, console)
