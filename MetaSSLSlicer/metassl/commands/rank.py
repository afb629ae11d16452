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
from metassl.files.errors import MetaSSLError, ProjectError
from metassl.project.effort.words import how_known, work_text
from metassl.project.round_files import read_error_rates, read_summary
from metassl.project.rounds import Round
from metassl.project.words import count as counted
from metassl.project.words import percent

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
    parser.add_argument(
        "--slices", metavar="CASE", help="the slices of a case that are worth correcting, not the cases"
    )
    add_json_option(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from metassl.project import Project
    from metassl.project.round_choice import model_round

    project = Project.open(arguments.project)
    own = project.settings.get("strategy", DEFAULT_STRATEGY)
    strategy = arguments.strategy or own
    if arguments.slices is not None:
        if arguments.strategy is not None or arguments.keep:
            raise ProjectError("--strategy and --keep rank cases, --slices shows those of one: leave one out")
        return _show_slices(project, arguments.slices, console)
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


def _show_slices(project: Project, case_id: str, console: Console) -> int:
    from metassl.project.effort.looked import read_looked_at
    from metassl.project.effort.pace import pace_of
    from metassl.project.effort.slices import done_slices, worthwhile_slices

    case, found = project.case(case_id), project.prediction(case_id)
    effort = None if found is None else read_summary(found[1].summary, case_id).effort
    if found is None or effort is None:
        raise ProjectError(f"case {case_id}: no prediction says which of its slices are wrong; run `metassl predict`")
    done = done_slices(read_looked_at(project, case_id)[0], effort.axis) if case.is_reviewed else []
    pace, slices = pace_of(project), worthwhile_slices(effort, done)
    seconds = [pace.factor * each for each in effort.slice_seconds()]
    console.say(f"{case_id}, {found[0].title}: slices across {'zyx'[effort.axis]}, counted from 0, of {len(seconds)}")
    if done:
        console.say(f"  done  {counted(len(done), 'slice')}")
    if not slices:
        console.say(f"  no slice is likely to hold errors deeper than {effort.tolerance_mm:g} mm")
    rows = [("slice", "chance", "voxels", "seconds")]
    rows += [(str(n), percent(effort.wrong[n]), f"{effort.voxels[n]:.0f}", f"{seconds[n]:.0f}") for n in slices]
    if slices:
        console.table(rows)
        console.say(f"  {work_text(sum(seconds[n] for n in slices))}; {how_known(effort, pace)}")
        said = command_line("label", project.path, case_id, "FILE", "--slices", *map(str, slices[:3]))
        console.say(f"next: {said}")
    listed = [
        {"slice": n, "chance": effort.wrong[n], "voxels": effort.voxels[n], "seconds": seconds[n]} for n in slices
    ]
    console.result({"case": case_id, "round": found[0].number, "axis": effort.axis, "done": done, "slices": listed})
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
