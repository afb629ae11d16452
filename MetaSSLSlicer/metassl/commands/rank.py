"""Rank the cases without a label: the ones that would teach the model most come first.

The ranking is kept with the round, and `metassl status`, the report and the
panel in Slicer go by it. Another strategy than the project's own is only looked
at, until it is kept. The strategies, and what each puts first:

"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from metassl.choices.strategies import DEFAULT_STRATEGY, STRATEGY_CATALOG, STRATEGY_NAMES
from metassl.files.errors import MetaSSLError
from metassl.project.round_files import read_error_rates, read_summary
from metassl.project.rounds import Round

from .shared.console import Console, command_line
from .shared.options import add_json_option, count

if TYPE_CHECKING:
    from metassl.project import Project

__doc__ += "\n".join(f"  {each.name:<18} {each.summary}" for each in STRATEGY_CATALOG)

SUMMARY = "rank the cases by how much the model is unsure of them"
SHOWN = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("project", type=Path, metavar="PROJECT")
    parser.add_argument("--strategy", choices=STRATEGY_NAMES, help=f"default: the project's own, or {DEFAULT_STRATEGY}")
    parser.add_argument("--keep", action="store_true", help="make the strategy the project's own, and go by it")
    parser.add_argument("--top", type=count, default=SHOWN, metavar="N", help=f"show so many (default: {SHOWN})")
    add_json_option(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from metassl.project import Project
    from metassl.project.round_choice import model_round

    project = Project.open(arguments.project)
    own = project.settings.get("strategy", DEFAULT_STRATEGY)
    strategy = arguments.strategy or own
    found = project.shown_round() or model_round(project)  # complains before the engine is loaded
    from metassl.selection.rank import rank, ranking_by

    if arguments.keep and strategy != own:
        project.update_settings(strategy=strategy)
        own = strategy
    ranking = (rank if strategy == own else ranking_by)(project, found, strategy)
    entries = ranking.cases
    for reason in ranking.skipped.values():
        console.warn(f"left out: {reason}")
    if not entries:
        console.say("no case is left to rank: all are labelled, or none is predicted yet")
    else:
        predicts_dice = _predicts_dice(found)
        rows = [("", "case", "score", *(["expected Dice"] if predicts_dice else []), "why")]
        for place, entry in enumerate(entries[: arguments.top], start=1):
            case = entry.case
            dice = [_expected_dice(found, case)] if predicts_dice else []
            rows.append((f"{place}.", case, f"{entry.score:.4g}", *dice, entry.reason))
        console.say(f"{found.title}, strategy {ranking.strategy}")
        console.table(rows)
        if told := _how_work_is_known(project, found, entries[0].case):
            console.say(f"  work: {told}")
        if len(entries) > arguments.top:
            console.say(f"  and {len(entries) - arguments.top} more")
        if strategy != own:
            console.say(f"  only a look: the project goes by {own}; --keep makes it go by {strategy}")
        label = command_line("label", arguments.project, entries[0].case, "FILE")
        console.say(f"next: {label}")
    console.result({"round": found.number, **ranking.to_json()})
    return 0


def _predicts_dice(found: Round) -> bool:
    """Whether it has been measured how well the Dice of a case can be told."""
    try:
        measured = read_error_rates(found)
    except MetaSSLError:
        return False
    return measured is not None and bool(measured.dice_model)


def _how_work_is_known(project: Project, found: Round, case_id: str) -> str:
    from metassl.project.effort.pace import pace_of
    from metassl.project.effort.words import how_known

    try:
        effort = read_summary(found.prediction(case_id).summary, case_id).effort
    except MetaSSLError:
        return ""
    return "" if effort is None else how_known(effort, pace_of(project))


def _expected_dice(found: Round, case_id: str) -> str:
    """ "0.84 (0.79 to 0.89)", or "-" for a case without a structure."""
    try:
        predicted = read_summary(found.prediction(case_id).summary, case_id).predicted_dice
    except MetaSSLError:
        predicted = None
    if predicted is None:
        return "-"
    low, high = predicted.interval
    return f"{predicted.mean:.2f} ({low:.2f} to {high:.2f})"
