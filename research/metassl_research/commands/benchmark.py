"""Compare the frameworks, each with its own loss and with MetaSSL, on data whose labels are all known.

Every training gets the same time and sees the first N labels of the training
cases; all are measured on the test cases, which none of them sees. Supervised
training with the same labels is the floor, with all labels the ceiling. The
table is printed and written to OUT.md, the plot to OUT.svg.

A benchmark that was stopped goes on where it was; more frameworks, losses, seeds or
numbers of labels can be added later. With --noisy, each training is repeated
with some wrong annotations. --table makes table and plot from the results.

  metassl benchmark --data Task04_Hippocampus --labelled 3,8 --minutes 4
  metassl benchmark --data DIR --frameworks cps,mt --losses plain,metassl --seeds 1 --noisy 0.3 --out run.json
  metassl benchmark --table --out run.json
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from metassl.choices.frameworks import FRAMEWORKS, LOSSES
from metassl.commands.shared.console import Console
from metassl.commands.shared.options import add_device_option, add_json_option, count
from metassl.project.words import count as counted

from .options import (
    add_data_option,
    add_length_options,
    add_results_options,
    add_yes_option,
    data_name,
    open_experiment,
    results_file,
    resumable,
    share,
    training_minutes,
    trainings_left,
)

if TYPE_CHECKING:
    from metassl_research.benchmark.settings import Settings

SUMMARY = "compare the frameworks, with and without MetaSSL"
CHAPTER = "Compare what there is to choose, where every label is known:"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_data_option(parser)
    parser.add_argument("--labelled", default="3,8", metavar="N,N", help="numbers of labelled cases (default: 3,8)")
    frameworks, losses = ", ".join(FRAMEWORKS), "plain,metassl"
    parser.add_argument(
        "--frameworks", default="all", metavar="A,B|all", help=f"of {frameworks} (default: all semi-supervised ones)"
    )
    parser.add_argument("--hosts", dest="frameworks", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    parser.add_argument("--losses", default=losses, metavar="A,B", help=f"of {', '.join(LOSSES)} (default: {losses})")
    parser.add_argument("--seeds", type=count, default=3, metavar="N", help="seeds 0 to N - 1 (default: 3)")
    add_length_options(parser)
    parser.add_argument("--noisy", type=share, metavar="SHARE", help="also with so many annotations wrong, e.g. 0.3")
    add_device_option(parser)
    add_results_options(parser, "results.json")
    add_yes_option(parser)
    add_json_option(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from metassl_research.benchmark.outcome import as_json, write_outcome
    from metassl_research.benchmark.summary import known_seeds
    from metassl_research.benchmark.table import gain_rows, main_rows, noisy_rows, structure_rows

    out = results_file(arguments)
    failed = {} if arguments.table else _benchmark(arguments, console)
    summary = write_outcome(out)
    seeds = known_seeds(summary.rows)
    console.say(f"{counted(len(seeds), 'seed')}, mean ± standard deviation\n")
    console.table(main_rows(summary))
    console.say()
    console.table(structure_rows(summary))
    for rows in (gain_rows(summary), noisy_rows(summary)):
        if rows:
            console.say()
            console.table(rows)
    console.say(f"\nsee {out.with_suffix('.md')} and {out.with_suffix('.svg')}")
    console.result({"rows": as_json(summary), "results": out, "failed": failed})
    return 1 if failed else 0


def _benchmark(arguments: argparse.Namespace, console: Console) -> dict[str, str]:
    from metassl_research.benchmark.results import Results
    from metassl_research.benchmark.runs import Benchmark
    from metassl_research.resumable import tell

    settings = _settings(arguments)
    experiment = open_experiment(arguments)
    settings.check_enough(len(experiment.train_order))
    data = {
        "cases": {
            "train": experiment.train_order,
            "validation": experiment.validation,
            "test": experiment.test,
        },
        "split": experiment.known.split,
        "labels": [label.name for label in experiment.labels],
    }
    results = Results.open(arguments.out, settings, data)
    benchmark = Benchmark(experiment, settings, results, tell)
    with resumable("benchmark", arguments, console):
        console.say(trainings_left(len(benchmark.left()), settings.minutes))
        failed = benchmark.run()
    for reason in failed.values():
        console.warn(reason)
    return failed


def _settings(arguments: argparse.Namespace) -> Settings:
    from metassl_research.benchmark.settings import Settings, chosen_counts, chosen_frameworks, chosen_losses

    return Settings(
        data=data_name(arguments),
        labelled=chosen_counts(arguments.labelled),
        frameworks=chosen_frameworks(arguments.frameworks),
        losses=chosen_losses(arguments.losses),
        seeds=arguments.seeds,
        minutes=training_minutes(arguments),
        iterations=arguments.iterations,
        device=arguments.device,
        clock=arguments.clock,
        noisy=arguments.noisy,
    )
