"""Find out which way of choosing the next case needs the fewest labels, or the fewest minutes.

An annotator who knows every true label plays the loop on a Decathlon folder:
train, rank the cases without a label, label what comes first, train again.
All strategies share the first training of a seed. Out comes the Dice on the
test cases against the number of labels and against minutes of annotation: a
table here and in OUT.md, a plot in OUT.svg.

With --goal cohort the annotator plays a whole project instead, from nothing
until each case of the cohort has its final label: draws the first cases, trains,
corrects what is wrong by more than the tolerance, trains again, finishes. Out
come a person's minutes, and how good the final labels of all cases are.

A simulation that was stopped goes on where it was; more strategies, arms, rounds
or seeds can be added later. --table makes table and plot again from the results.

  metassl simulate --data Task04_Hippocampus --strategies all
  metassl simulate --data DIR --strategies random,discrepancy --minutes 2 --rounds 10 --out run.json
  metassl simulate --goal cohort --data Task04_Hippocampus --arms draw,random,combined --out cohort.json
  metassl simulate --table --out run.json
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from metassl.choices.defaults import DEFAULTS
from metassl.choices.frameworks import FRAMEWORKS, LOSSES
from metassl.choices.strategies import STRATEGY_NAMES
from metassl.commands.shared.console import Console
from metassl.commands.shared.options import add_device_option, add_json_option, count
from metassl.files.errors import ProjectError
from metassl.project.words import count as counted

from metassl_research.cohort import command as cohort

from .options import (
    add_data_option,
    add_length_options,
    add_results_options,
    add_yes_option,
    data_name,
    open_experiment,
    results_file,
    resumable,
    training_minutes,
    trainings_left,
)

if TYPE_CHECKING:
    from metassl_research.simulation.settings import Settings

SUMMARY = "simulate an annotator who labels by each strategy"
OF_LABELS = {"strategies": "all", "rounds": 6, "per_round": 1, "labelled": 1, "fresh": False, "pool": None}
OF_COHORT = {
    "arms": "draw,random,combined",
    "after": "3,8,32",
    "costs": None,
    "tolerance": 1.5,
    "seen": 0.0,
    "unseen": 0.1,
}
"""Options of one goal alone, by what they are where nobody gives them."""

CHAPTER = "Compare what there is to choose, where every label is known:"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_data_option(parser)
    parser.add_argument(
        "--goal", choices=("labels", "cohort"), default="labels", help="what is measured (default: labels)"
    )
    names = ", ".join(STRATEGY_NAMES)
    parser.add_argument("--strategies", default="all", metavar="A,B|all", help=f"of {names} (default: all)")
    parser.add_argument("--rounds", type=count, default=6, metavar="N", help="rounds of annotation (default: 6)")
    parser.add_argument("--per-round", type=count, default=1, metavar="N", help="cases a round (default: 1)")
    parser.add_argument("--seeds", type=count, default=3, metavar="N", help="seeds 0 to N - 1 (default: 3)")
    parser.add_argument("--labelled", type=count, default=1, metavar="N", help="labelled at the start (default: 1)")
    add_length_options(parser)
    parser.add_argument("--framework", choices=FRAMEWORKS, help="the framework; see `metassl frameworks`")
    parser.add_argument(
        "--host", dest="framework", choices=FRAMEWORKS, default=argparse.SUPPRESS, help=argparse.SUPPRESS
    )
    parser.add_argument("--loss", choices=LOSSES)
    parser.add_argument("--fresh", action="store_true", help="train every round from random weights")
    parser.add_argument("--pool", type=count, metavar="N", help="choose from so many cases (default: all)")
    add_device_option(parser)
    add_results_options(parser, "simulate.json")
    add_yes_option(parser)
    add_json_option(parser)
    cohort.add_arguments(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from metassl_research.simulation.outcome import as_json, write_outcome
    from metassl_research.simulation.table import rows

    _refuse_of_another_goal(arguments)
    out = results_file(arguments)
    if arguments.goal == "cohort":
        return cohort.run(arguments, console, out)
    if not arguments.table:
        _simulate(arguments, console)
    curves, seeds = write_outcome(out)
    console.say(f"{counted(len(seeds), 'seed')}, mean ± standard deviation")
    console.table(rows(curves))
    console.say(f"see {out.with_suffix('.md')} and {out.with_suffix('.svg')}")
    console.result({"seeds": seeds, "curves": [as_json(curve) for curve in curves], "results": out})
    return 0


def _refuse_of_another_goal(arguments: argparse.Namespace) -> None:
    is_cohort = arguments.goal == "cohort"
    ours = OF_LABELS if is_cohort else OF_COHORT
    if given := [name for name, usual in ours.items() if getattr(arguments, name) != usual]:
        options = ", ".join("--" + name.replace("_", "-") for name in given)
        verb, goal = "goes" if len(given) == 1 else "go", "labels" if is_cohort else "cohort"
        raise ProjectError(f"{options} {verb} with --goal {goal}: leave it out, or give that goal")


def _simulate(arguments: argparse.Namespace, console: Console) -> None:
    from metassl_research.simulation.annotator import Annotator
    from metassl_research.simulation.learner import ExperimentLearner
    from metassl_research.simulation.loop import Simulation
    from metassl_research.simulation.results import Results

    settings = _settings(arguments)
    experiment = open_experiment(arguments)
    learner = ExperimentLearner(experiment, settings)
    settings.check_enough(len(learner.train_order))
    cases = {"train": learner.train_order, "test": learner.test}
    results = Results.open(arguments.out, settings, cases)
    annotator = Annotator(experiment.truth, learner.labels)
    with resumable("simulate", arguments, console):
        simulation = Simulation(learner, annotator, settings, results, console.say)
        console.say(trainings_left(simulation.left(), settings.minutes))
        simulation.run()


def _settings(arguments: argparse.Namespace) -> Settings:
    from metassl_research.simulation.settings import Settings, chosen_strategies

    return Settings(
        data=data_name(arguments),
        strategies=chosen_strategies(arguments.strategies),
        rounds=arguments.rounds,
        per_round=arguments.per_round,
        seeds=arguments.seeds,
        labelled=arguments.labelled,
        framework=arguments.framework or DEFAULTS["framework"],
        loss=arguments.loss or DEFAULTS["loss"],
        minutes=training_minutes(arguments),
        iterations=arguments.iterations,
        device=arguments.device,
        clock=arguments.clock,
        pool=arguments.pool,
        fresh=arguments.fresh,
    )
