"""Show what a folder of images holds, before a project is made of it.

Known layouts, each found by itself: Medical Segmentation Decathlon, nnU-Net raw,
BIDS, MONAI Label, one binary file a structure (TotalSegmentator), images/ and
labels/, a folder per patient, labels beside their images, DICOM series,
pictures (PNG, JPEG, TIFF), and a table of cases (CSV).

--csv writes such a table: edit it and give it to `metassl new --from FILE`.

  metassl scan ~/scans
  metassl scan ~/scans --csv cases.csv
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..shared.console import Console, command_line
from ..shared.options import add_json_option

SUMMARY = "show what a folder of images holds"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path, metavar="DIR", help="a folder, a table of cases or a single image")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the cases, and what is left out, as a table")
    add_json_option(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from metassl.files.errors import ProjectError
    from metassl.intake import Scan, find_cases, write_table

    found = find_cases(arguments.source)
    scan = Scan.of(arguments.source, found)
    for line in scan.lines():
        console.say(line)
    if arguments.csv:
        if arguments.csv.exists():
            raise ProjectError(f"{arguments.csv} exists: choose a new file, or remove it")
        write_table(arguments.csv, found)
        console.say(f"written: {arguments.csv}")
    console.say(f"next: {command_line('new', 'PROJECT', '--from', arguments.csv or arguments.source)}")
    console.result(scan.to_json())
    return 0
