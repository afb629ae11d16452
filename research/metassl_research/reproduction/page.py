"""The tables of the experiment, for the terminal and for a page that has a place for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from metassl.choices.frameworks import FRAMEWORKS, UNIFORM_IS_PLAIN
from metassl.files.errors import MetaSSLError
from metassl.project.words import count as counted

from metassl_research.benchmark.settings import LOSS_ORDER
from metassl_research.marked_page import write_between_marks
from metassl_research.reproduction.paired import Difference, difference
from metassl_research.reproduction.runs import Run
from metassl_research.text import markdown_table, spread

CLAIM = 0.5  # points of Dice
PAIRS = (("metassl", "plain"), ("metassl", "uniform"), ("official", "plain"), ("official", "uniform"))

Runs = Mapping[Run, dict[str, Any]]
Cell = tuple[int, int, str]  # steps, labelled, framework and, where it is not left to the images, the plan


def cells(runs: Runs) -> list[Cell]:
    found = {_cell(run) for run in runs}
    return sorted(found, key=lambda cell: (*cell[:2], FRAMEWORKS.index(_framework(cell)), cell[2]))


def arm_rows(runs: Runs) -> list[list[str]]:
    """Every loss for itself: mean and standard deviation over the seeds."""
    body = []
    for cell in cells(runs):
        for loss in LOSS_ORDER:
            found = list(_arm(runs, cell, loss).values())
            if found:
                dice = np.array([np.mean(list(each["dice"].values())) for each in found], float)
                hd95 = np.array([each["last"]["hd95_mm"]["mean"] for each in found], float)
                auroc = np.array([each["last"]["auroc"] for each in found], float)
                body.append([*map(str, cell), loss, str(len(found)), spread(dice), spread(hd95, 2), spread(auroc)])
    return [["steps", "labelled", "framework", "loss", "seeds", "Dice", "HD95 mm", "AUROC"], *body]


def differences(runs: Runs) -> dict[tuple[Cell, str, str], Difference]:
    """In points of Dice; of the seeds that have both losses."""
    found = {}
    for cell in cells(runs):
        for first, second in PAIRS:
            if second == "uniform" and _framework(cell) in UNIFORM_IS_PLAIN:
                continue
            one, other = _arm(runs, cell, first), _arm(runs, cell, second)
            both = sorted(one.keys() & other.keys())
            if both:
                table = [[one[s]["dice"][case] - other[s]["dice"][case] for case in one[s]["dice"]] for s in both]
                found[cell, first, second] = difference(100 * np.array(table, float), CLAIM)
    return found


def difference_rows(runs: Runs) -> list[list[str]]:
    heads = ["steps", "labelled", "framework", "difference", "seeds", "points of Dice", "95 %", "seeds above 0"]
    body = []
    for (cell, first, second), each in differences(runs).items():
        if each.seeds == 1:
            needed = "?"
        else:
            needed = f"more than {each.cases} cases" if each.needed is None else str(each.needed)
        figures = [f"{each.mean:+.2f}", f"{each.low:+.2f} to {each.high:+.2f}", f"{each.above} of {each.seeds}"]
        second = "plain (= uniform)" if second == "plain" and _framework(cell) in UNIFORM_IS_PLAIN else second
        body.append([*map(str, cell), f"{first} - {second}", str(each.seeds), *figures, needed])
    return [[*heads, f"seeds for ±{CLAIM:g}"], *body]


def tables(runs: Runs) -> str:
    """Both, and from how many runs, in Markdown. MetaSSLError without any."""
    if not runs:
        raise MetaSSLError("no run of this experiment is finished yet: run it without --table to go on")
    machines = sorted({f"{each['device']}, {counted(each['threads'], 'thread')}" for each in runs.values()})
    versions = list(runs.values())[-1]["versions"]
    cases = len(next(iter(runs.values()))["dice"])
    numbers = [f"{sum(run.iterations == n for run in runs)} of {n} steps" for n in sorted({r.iterations for r in runs})]
    lines = [
        f"{counted(len(runs), 'run')} so far ({', '.join(numbers)}), {counted(cases, 'test case')} each; "
        f"{'; '.join(machines)}; {', '.join(f'{name} {version}' for name, version in versions.items())}.",
        "",
        *markdown_table(difference_rows(runs), 4),
        "",
        *markdown_table(arm_rows(runs), 4),
    ]
    return "\n".join(lines)


def write_page(page: Path, runs: Runs, results: Path) -> None:
    """Put the tables where the page has the marks of `results`. MetaSSLError when it has not."""
    write_between_marks(page, tables(runs), results)


def _arm(runs: Runs, cell: Cell, loss: str) -> dict[int, dict[str, Any]]:
    """{seed: what is known of the run}"""
    return {
        run.seed: known
        for run, known in sorted(runs.items(), key=lambda item: item[0].seed)
        if (_cell(run), run.loss) == (cell, loss)
    }


def _cell(run: Run) -> Cell:
    plan = "" if run.plan == "auto" else f" ({run.plan})"
    return run.iterations, run.labelled, run.framework + plan


def _framework(cell: Cell) -> str:
    return cell[2].split(" ")[0]
