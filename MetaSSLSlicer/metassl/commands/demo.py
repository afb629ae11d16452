"""From nothing to a report: label three cases, train, see where the model is unsure.

Without --data the images are made up on the spot (24 small volumes); nothing
is downloaded. With --data DIR it is a folder in the layout of the Medical
Segmentation Decathlon, of which three cases keep their labels.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from .shared.console import Console
from .shared.options import minutes

SUMMARY = "watch the whole loop once, on made-up images or your own"


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
    from .shared.whole_loop import run_demo

    return run_demo(arguments.out, arguments.data, arguments.minutes, console)
