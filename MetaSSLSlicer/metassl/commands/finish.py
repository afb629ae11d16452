"""When to stop: what a few random looks say of all the cases that nobody looked at.

The cases that wait for a review are looked at in a random order, one by one:
accept or correct the case that is named, in Slicer or with `metassl label`.
Whether its prediction needed correction is then measured: whether it lies
farther than the tolerance from the label, anywhere. What follows for the rest
is true however often one asks and whenever one stops. A new round, whose
predictions are others, begins a new audit.

--accept-rest makes the predictions of all the rest their labels, in one step.
They are marked as accepted unseen, exported so, and never trained on; --undo
takes exactly these back.

  metassl finish liver
  metassl finish liver --tolerance 3 --confidence 0.9
  metassl finish liver --accept-rest --yes
  metassl finish liver --undo
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metassl.project.words import count as counted
from metassl.project.words import percent

from .shared.console import Console, command_line, listing
from .shared.options import add_json_option, confidence, millimetres

if TYPE_CHECKING:
    from metassl.finish.bound import Bound
    from metassl.finish.standing import Standing
    from metassl.project import Project

SUMMARY = "know when to stop: audit a few cases, accept the rest"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("project", type=Path, metavar="PROJECT")
    parser.add_argument(
        "--tolerance",
        type=millimetres,
        metavar="MM",
        help="errors that are no deeper need no correction (kept with the project; default: 2)",
    )
    parser.add_argument("--confidence", type=confidence, default=0.95, metavar="P", help="default: 0.95")
    step = parser.add_mutually_exclusive_group()
    step.add_argument("--accept-rest", action="store_true", help="accept the predictions of all the rest, unseen")
    step.add_argument("--undo", action="store_true", help="take back what was accepted unseen")
    parser.add_argument("--yes", action="store_true", help="with --accept-rest: do it; without, it is only shown")
    add_json_option(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from metassl.finish.audit import begin
    from metassl.finish.standing import read_standing
    from metassl.project import Project

    project = Project.open(arguments.project)
    if arguments.undo:
        return _undo(project, arguments, console)
    if arguments.tolerance is not None:
        project.update_settings(tolerance_mm=arguments.tolerance)
    begin(project)
    standing = read_standing(project, confidence=arguments.confidence)
    console.warn_all(standing.notes)
    if arguments.accept_rest:
        return _accept(project, standing, arguments, console)
    _show(project, standing, arguments, console)
    return 0


def _accept(project: Project, standing: Standing, arguments: argparse.Namespace, console: Console) -> int:
    from metassl.finish.rest import accept_unseen

    rest = standing.remaining
    console.say(f"{project.name}: {_statement(standing.bound, standing.tolerance_mm)}")
    if not arguments.yes:
        again = command_line("finish", arguments.project, "--accept-rest", "--yes")
        console.say(f"nothing is accepted yet; to accept {counted(len(rest), 'prediction')} unseen: {again}")
        console.result({**_as_json(project, standing), "accepted": [], "left": {}})
        return 0
    accepted = accept_unseen(project, project.round(standing.round), rest)
    console.say(f"{counted(len(accepted.cases), 'prediction')} accepted unseen ({listing(accepted.cases) or 'none'})")
    console.warn_all(list(accepted.left.values()))
    console.say(f"back again: {command_line('finish', arguments.project, '--undo')}")
    console.result({**_as_json(project, standing), "accepted": accepted.cases, "left": accepted.left})
    return 0


def _undo(project: Project, arguments: argparse.Namespace, console: Console) -> int:
    from metassl.finish.rest import take_back

    cases = take_back(project)
    console.say(f"{project.name}: {counted(len(cases), 'case')} taken back{f' ({listing(cases)})' if cases else ''}")
    console.result({"project": project.path, "taken_back": cases})
    return 0


def _show(project: Project, standing: Standing, arguments: argparse.Namespace, console: Console) -> None:
    tolerance = standing.tolerance_mm
    audited = counted(standing.total, "prediction")
    console.say(f"{project.name}: audit of round {standing.round:04d}, {audited} that nobody had looked at")
    looks = f"{len(standing.looks)}, of which {standing.wrong} needed correction (deeper than {tolerance:g} mm)"
    if unknown := standing.looks.count("unknown"):
        looks += f"; {unknown} of these could not be judged, and count as such"
    console.say(f"  drawn       {looks}")
    if standing.outside:
        console.say(f"  others      {len(standing.outside)} reviewed before their turn: they are no random sample")
    console.say(f"  so far      {_statement(standing.bound, tolerance)}")
    for more, bound in standing.outlook[:3]:
        console.say(
            f"  {f'{more} more':<11} if all are right: at most {_amount(bound)} of the remaining {bound.remaining}"
        )
    if standing.unseen:
        older = f", {standing.outdated} of these as an older round predicted them" if standing.outdated else ""
        console.say(f"  unseen      {standing.unseen} of the remaining are accepted unseen{older}")
    if standing.uncovered:
        console.say(
            f"  not in it   {len(standing.uncovered)} predicted since the audit began ({listing(standing.uncovered)})"
        )
    if standing.next_case is not None:
        console.say(f"  next case   {standing.next_case}: accept or correct it")
        steps = [
            (command_line("label", arguments.project, standing.next_case, "FILE"), "or open the case in Slicer"),
            (command_line("finish", arguments.project, "--accept-rest"), "accept the rest as it is"),
        ]
        console.say("next:")
        console.commands(steps)
    console.result(_as_json(project, standing))


def _statement(bound: Bound, tolerance_mm: float) -> str:
    if not bound.remaining:
        return "every case of the audit was looked at: nothing remains"
    if not bound.says_something:
        return f"nothing can be said yet of the remaining {bound.remaining}: look at more of them"
    return (
        f"with {percent(bound.confidence)} confidence at most {_amount(bound)} of the remaining {bound.remaining} "
        f"need correction (deeper than {tolerance_mm:g} mm)"
    )


def _amount(bound: Bound) -> str:
    return f"{percent(bound.share)} ({bound.wrong})"


def _as_json(project: Project, standing: Standing) -> dict[str, Any]:
    def as_json(bound: Bound) -> dict[str, Any]:
        return {"remaining": bound.remaining, "at_most": bound.wrong, "says_something": bound.says_something}

    return {
        "project": project.path,
        "round": standing.round,
        "begun": standing.begun,
        "tolerance_mm": standing.tolerance_mm,
        "confidence": standing.bound.confidence,
        "audited": standing.total,
        "drawn": len(standing.looks),
        "needed_correction": standing.wrong,
        "not_judged": standing.looks.count("unknown"),
        "reviewed_outside": dict(standing.outside),
        "bound": as_json(standing.bound),
        "outlook": [{"more": more, **as_json(bound)} for more, bound in standing.outlook],
        "accepted_unseen": standing.unseen,
        "accepted_from_older_round": standing.outdated,
        "not_audited": standing.uncovered,
        "next_case": standing.next_case,
    }
