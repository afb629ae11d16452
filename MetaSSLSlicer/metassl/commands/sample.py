"""Write a small data set of made-up images, to try things out with.

24 volumes with two structures that touch, in the layout of the Medical
Segmentation Decathlon: labelled, the same on every computer, and nobody's.
Nothing is downloaded, and neither torch nor a GPU is needed.

  metassl sample sample-images
  metassl new sample --from sample-images --labelled 3
"""

from __future__ import annotations

import argparse
from pathlib import Path

from .shared.console import Console, command_line
from .shared.options import add_json_option, count

SUMMARY = "make up a small data set to try things out with"

_FEWEST = 6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="the new folder")
    parser.add_argument("--cases", type=count, metavar="N", help="how many volumes, at least 6 (default: 24)")
    add_json_option(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from metassl.demo.cohort import CASES, make_cohort
    from metassl.files import ProjectError

    folder, cases = arguments.folder.expanduser(), arguments.cases or CASES
    if cases < _FEWEST:
        raise ProjectError(f"a data set needs at least {_FEWEST} volumes, not {cases}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ProjectError(f"{folder} is not empty: choose a new folder for the images")
    make_cohort(folder, cases)
    console.say(f"{cases} made-up volumes with their labels in {folder}")
    console.say(f"next: {command_line('new', 'PROJECT', '--from', folder, '--labelled', 3)}")
    console.result({"folder": folder.absolute(), "cases": cases})
    return 0
