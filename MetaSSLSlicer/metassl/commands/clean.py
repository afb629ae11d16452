"""Show what each round costs on disk, and free what can be made again.

Without --yes nothing is removed: it only shows what would be. That is the maps
of older rounds (segmentation, regions, uncertainty), what a finished round kept
to be resumed, and preprocessed images, which the next training makes again.
Models, labels with all former versions, records and summaries always stay, and
so do the predictions that are reviewed now and those that were corrected.

With --always each training does so at its end, for older rounds, and says what it
removed; --never takes that back. The preprocessed images stay then.

  metassl clean liver
  metassl clean liver --keep 5 --keep-cache --yes
  metassl clean liver --always
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from metassl.files.errors import ProjectError
from metassl.jobs.thinning import KEEP
from metassl.project.words import bytes_as_text
from metassl.project.words import count as counted

from .shared.bar import ProgressBar
from .shared.console import Console, command_line
from .shared.options import add_json_option, count

if TYPE_CHECKING:
    from metassl.jobs.thinning import Thinning

SUMMARY = "show what the rounds cost on disk, and free what can be made again"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("project", type=Path, metavar="PROJECT")
    parser.add_argument(
        "--keep",
        type=count,
        default=KEEP,
        metavar="N",
        help=f"so many of the newest rounds keep all maps (default: {KEEP})",
    )
    parser.add_argument("--keep-cache", action="store_true", help="leave the preprocessed images")
    parser.add_argument("--yes", action="store_true", help="remove it")
    rule = parser.add_mutually_exclusive_group()
    rule.add_argument("--always", action="store_true", help="from now on at the end of each training")
    rule.add_argument("--never", action="store_true", help="only when this command is given, as at first")
    add_json_option(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from metassl.jobs.thinning import plan_thinning
    from metassl.project import Project

    project = Project.open(arguments.project)
    if arguments.always and (arguments.keep != KEEP or arguments.keep_cache):
        raise ProjectError(
            f"--always keeps all maps of the {KEEP} newest rounds, and the preprocessed images: leave --keep and "
            "--keep-cache out, or give them without it"
        )
    if arguments.always or arguments.never:
        project.update_settings(thin=True if arguments.always else None)
        when = "at the end of each training" if arguments.always else "only by `metassl clean --yes`"
        console.say(f"older rounds lose their maps {when}")
    plan = plan_thinning(project, arguments.keep, not arguments.keep_cache)
    _show(plan, console)
    spare = bytes_as_text(plan.spare)
    if not plan.spare:
        console.say("nothing can go")
    elif not arguments.yes:
        chosen = ["--keep", arguments.keep] if arguments.keep != KEEP else []
        chosen += ["--keep-cache"] if arguments.keep_cache else []
        console.say(f"nothing is removed yet; to free {spare}: {command_line('clean', project.path, *chosen, '--yes')}")
    else:
        bar = ProgressBar(sys.stderr)
        try:
            plan.apply(lambda done, total: bar.show("removing", done, total))
        finally:
            bar.close()
        console.say(f"{spare} freed")
    console.result(
        {
            "project": project.path,
            "rounds": [asdict(cost) for cost in plan.rounds],
            "cache": plan.cache,
            "spare": plan.spare,
            "removed": bool(arguments.yes and plan.spare),
            "always": bool(project.settings.get("thin")),
        }
    )
    return 0


def _show(plan: Thinning, console: Console) -> None:
    size = bytes_as_text
    table = [("round", "state", "models", "maps", "to resume", "can go")]
    table += [
        (f"{each.number:04d}", each.state, size(each.models), size(each.maps), size(each.checkpoint), size(each.spare))
        for each in plan.rounds
    ]
    table.append(("cache", "", "", "", "", size(plan.spare_cache) if plan.spare_cache else f"kept: {size(plan.cache)}"))
    console.table(table)
    if cases := sum(each.cases for each in plan.rounds):
        console.say(f"{counted(cases, 'prediction')} of older rounds would lose their maps")
        console.say("  `metassl predict P/rounds/NNNN` makes those of a round again")
