"""Write one HTML page about a round: what went in, how it trained, where it is unsure, how good it is.

The page holds its pictures and needs no network. After `metassl evaluate` it
shows the figures measured there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from .shared.console import Console

SUMMARY = "write one page with pictures, figures and the uncertain cases"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("project", type=Path, metavar="PROJECT")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: report.html in the folder of the round")
    parser.add_argument(
        "--evaluation",
        type=Path,
        metavar="FILE",
        help="what `metassl evaluate --json` printed (default: the round's last evaluation)",
    )
    parser.add_argument("--no-pictures", action="store_true", help="leave out the rendered cases")


def run(arguments: argparse.Namespace, console: Console) -> int:
    from metassl.project import Project
    from metassl.project.round_choice import model_round

    project = Project.open(arguments.project)
    found = model_round(project)  # complains before the engine is loaded
    from metassl.evaluation.report.write import write_report
    from metassl.evaluation.stored import read_evaluation

    from .shared.measuring import stored_evaluation

    given = arguments.evaluation
    evaluation = stored_evaluation(found) if given is None else read_evaluation(given)
    out = arguments.out or found.path / "report.html"
    written = write_report(project, found, out, evaluation, pictures=not arguments.no_pictures)
    console.say(f"{written}")
    return 0
