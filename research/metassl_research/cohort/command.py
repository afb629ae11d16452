"""`metassl simulate --goal cohort`: its own options, and what it does."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from metassl.choices.defaults import DEFAULTS
from metassl.commands.shared.console import Console
from metassl.commands.shared.options import millimetres
from metassl.files.errors import ProjectError
from metassl.project.words import count as counted

from metassl_research.commands.options import data_name, resumable, share

if TYPE_CHECKING:
    from metassl_research.cohort.settings import Settings

ITERATIONS = 300


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("with --goal cohort")
    group.add_argument(
        "--arms",
        default="draw,random,combined",
        metavar="A,B",
        help="draw, or an order of the cases, a strategy; ORDER/CHANCE: only slices are looked at that are expected to "
        "hold an error deeper than the tolerance with this chance or a higher one; ORDER/CHANCE/slices: and until the "
        "last training only they count as annotated (default: draw,random,combined)",
    )
    group.add_argument("--after", default="3,8,32", metavar="N,N", help="a training after so many cases")
    group.add_argument("--costs", type=Path, metavar="FILE", help="JSON of seconds, each with its source")
    group.add_argument(
        "--tolerance", type=millimetres, default=1.5, metavar="MM", help="deeper errors are corrected (default: 1.5)"
    )
    group.add_argument(
        "--seen",
        type=_area,
        default=0.0,
        metavar="MM2",
        help="deep errors that fill less of a slice are not seen, and stay (default: 0, all are)",
    )
    group.add_argument(
        "--unseen",
        type=share,
        default=0.1,
        metavar="SHARE",
        help="accept the rest unseen when the audit says that at most this share needs correction (default: 0.1)",
    )


def run(arguments: argparse.Namespace, console: Console, out: Path) -> int:
    from metassl_research.cohort.outcome import as_json, write_outcome
    from metassl_research.cohort.table import kind_rows, rows

    failed = {} if arguments.table else _play(arguments, console)
    found, cases = write_outcome(out)
    console.table(rows(found))
    console.say("\nminutes by kind")
    console.table(kind_rows(found, cases))
    console.say(f"\nsee {out.with_suffix('.md')} and {out.with_suffix('.svg')}")
    console.result({"arms": [as_json(each) for each in found], "cases": cases, "results": out, "failed": failed})
    return 1 if failed else 0


def _play(arguments: argparse.Namespace, console: Console) -> dict[str, str]:
    from metassl_research.cohort.data import Cohort
    from metassl_research.cohort.plays import Plays
    from metassl_research.cohort.results import Results
    from metassl_research.resumable import tell

    if arguments.data is None:
        raise ProjectError("say on which data: --data DIR, a Decathlon folder with labels")
    if arguments.minutes is not None:
        raise ProjectError("with --goal cohort trainings are as long as --iterations says, on whatever machine")
    settings = _settings(arguments)
    cohort = Cohort.of(arguments.data)
    results = Results.open(arguments.out, settings, cohort.cases)
    plays = Plays(arguments.work or arguments.out.with_suffix(""), cohort, settings, results, tell, console.say)
    with resumable("simulate --goal cohort", arguments, console):
        console.say(f"{counted(len(plays.left()), 'play')} to go, {counted(len(cohort.cases), 'case')} each")
        failed = plays.run()
    for reason in failed.values():
        console.warn(reason)
    return failed


def _settings(arguments: argparse.Namespace) -> Settings:
    from metassl_research.benchmark.settings import chosen_counts
    from metassl_research.cohort.arms import chosen_arms
    from metassl_research.cohort.costs import USUAL, read_costs
    from metassl_research.cohort.settings import Settings

    costs, sources = read_costs(arguments.costs or USUAL)
    return Settings(
        data=data_name(arguments),
        arms=chosen_arms(arguments.arms),
        costs=costs,
        sources=sources,
        rounds=chosen_counts(arguments.after, "after"),
        seeds=arguments.seeds,
        tolerance=arguments.tolerance,
        seen=arguments.seen,
        unseen=arguments.unseen,
        framework=arguments.framework or DEFAULTS["framework"],
        loss=arguments.loss or DEFAULTS["loss"],
        iterations=arguments.iterations or ITERATIONS,
        device=arguments.device,
    )


def _area(text: str) -> float:
    """Square millimetres, 0 or more, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not an area in square millimetres")
    return value
