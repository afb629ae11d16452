"""The tables of a comparison with peers, for the terminal and for a page that has a place for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from metassl.evaluation.bootstrap import bootstrap_interval, nan_mean
from metassl.files.errors import MetaSSLError
from metassl.project.words import brief_duration
from metassl.project.words import count as counted

from metassl_research.marked_page import write_between_marks
from metassl_research.peers.ours import OURS
from metassl_research.peers.settings import ADAPT_ARMS, ARMS, SOURCE, Run
from metassl_research.reproduction.paired import Difference, difference
from metassl_research.text import markdown_table

CLAIM = 0.5  # points of Dice
WANTED_DICE = 0.80

Runs = Mapping[Run, dict[str, Any]]
ORDER = list(dict.fromkeys((*ADAPT_ARMS, *ARMS)))


class Cell(NamedTuple):
    """What is compared among the arms; all else is the same in a results file."""

    labelled: int
    minutes: float

    @staticmethod
    def of(run: Run) -> Cell:
        return Cell(run.labelled, run.minutes)


def cells(runs: Runs) -> list[Cell]:
    return sorted({Cell.of(run) for run in runs})


def by_seed(runs: Runs, cell: Cell, arm: str) -> dict[int, dict[str, Any]]:
    found = {run.seed: known for run, known in runs.items() if Cell.of(run) == cell and run.arm == arm}
    return dict(sorted(found.items()))


def values(found: Mapping[int, dict[str, Any]], measure: str) -> np.ndarray:
    """(cases, seeds), NaN where it is not known."""
    cases = list(next(iter(found.values()))["cases"])
    return np.array([[known["cases"][case][measure] for known in found.values()] for case in cases], float)


def seconds_to(found: dict[str, Any], dice: float = WANTED_DICE) -> float | None:
    """When a training had it first at one of its looks, the last of them its end; None where it never had."""
    return next((look["seconds"] for look in found["looks"] if (look["dice"] or 0.0) >= dice), None)


def first_seconds(runs: Runs, arm: str, labelled: int, seed: int) -> float | None:
    """The same of all trainings of the arm, however long they were planned for: an end counts more than a middle."""
    times = [
        seconds_to(known) for run, known in runs.items() if (run.arm, run.labelled, run.seed) == (arm, labelled, seed)
    ]
    return min((time for time in times if time is not None), default=None)


def arm_rows(runs: Runs) -> list[list[str]]:
    """Every arm for itself, with 95 % intervals over the cases."""
    heads = ["labelled", "minutes", "arm", "seeds", "Dice (95 %)", "HD95 mm (95 %)", "missed", "steps"]
    body = []
    for cell in cells(runs):
        for arm in ORDER:
            found = by_seed(runs, cell, arm)
            if not found:
                continue
            steps = round(float(np.mean([known["steps"] for known in found.values()])))
            missed = sum(known["missed"] for known in found.values())
            row = [str(cell.labelled), f"{cell.minutes:g}", arm, str(len(found))]
            row += [interval(values(found, "dice"), 3), interval(values(found, "hd95_mm"), 2), str(missed), str(steps)]
            body.append(row)
    return [heads, *body]


def interval(table: np.ndarray, digits: int) -> str:
    """ "0.843 (0.830 to 0.855)" of (cases, seeds): drawn again over the cases."""
    mean = float(nan_mean(nan_mean(table.T)))
    low, high = bootstrap_interval(table)
    if np.isnan(mean):
        return "-"
    return f"{mean:.{digits}f}" + ("" if np.isnan(low) else f" ({low:.{digits}f} to {high:.{digits}f})")


def time_rows(runs: Runs) -> list[list[str]]:
    """When each arm first had WANTED_DICE, seed by seed."""
    body = []
    for labelled in sorted({run.labelled for run in runs}):
        for arm in ORDER:
            seeds = sorted({run.seed for run in runs if (run.arm, run.labelled) == (arm, labelled)})
            times = [first_seconds(runs, arm, labelled, seed) for seed in seeds]
            if seeds:
                told = ", ".join("never" if time is None else brief_duration(time) for time in times)
                body.append([str(labelled), arm, told])
    return [["labelled", "arm", f"Dice {WANTED_DICE:.2f} after (seed by seed)"], *body]


def differences(runs: Runs) -> dict[tuple[Cell, str, str], Difference]:
    """Ours less each peer, in points of Dice, of the seeds that have both; the source model is a peer of every cell."""
    source = next((known for run, known in runs.items() if run.arm == SOURCE), None)
    found = {}
    for cell in cells(runs):
        for first in OURS:
            ours = by_seed(runs, cell, first)
            for second in (arm for arm in ORDER if arm not in OURS):
                theirs = by_seed(runs, cell, second)
                if second == SOURCE and source is not None:
                    theirs = dict.fromkeys(ours, source)
                both = [seed for seed in ours if seed in theirs]
                if both:
                    one, other = ({seed: side[seed] for seed in both} for side in (ours, theirs))
                    table = 100 * (values(one, "dice") - values(other, "dice")).T
                    found[cell, first, second] = difference(table, CLAIM)
    return found


def difference_rows(runs: Runs) -> list[list[str]]:
    heads = ["labelled", "minutes", "difference", "seeds", "points of Dice", "95 %", "seeds above 0"]
    body = []
    for (cell, first, second), each in differences(runs).items():
        figures = [f"{each.mean:+.2f}", f"{each.low:+.2f} to {each.high:+.2f}", f"{each.above} of {each.seeds}"]
        row = [str(cell.labelled), f"{cell.minutes:g}", f"{first} - {second}", str(each.seeds)]
        body.append([*row, *figures])
    return [heads, *body]


def tables(runs: Runs) -> str:
    """All three, and from how many runs, in Markdown. MetaSSLError without any."""
    if not runs:
        raise MetaSSLError("no run of this comparison is finished yet: run it without --table to go on")
    machines = sorted({f"{each['device']}, {counted(each['threads'], 'thread')}" for each in runs.values()})
    versions: dict[str, str] = {}
    for each in runs.values():
        versions |= each["versions"]
    one = next(iter(runs))
    cases = counted(len(runs[one]["cases"]), "test case")
    source = f" nnunet-finetuned and ours go on {one.source}." if one.source else ""
    told = ", ".join(f"{name} {version}" for name, version in versions.items())
    lines = [
        f"{one.data}: {counted(len(runs), 'run')} so far, {cases} each; {'; '.join(machines)}; minutes of {one.clock} "
        f"time; {told}.{source}",
        "",
        *markdown_table(arm_rows(runs), 3),
        "",
        *markdown_table(time_rows(runs), 3),
    ]
    compared = difference_rows(runs)
    if len(compared) > 1:
        lines += ["", *markdown_table(compared, 3)]
    return "\n".join(lines)


def write_page(page: Path, runs: Runs, results: Path) -> None:
    """Put the tables where the page has the marks of `results`. MetaSSLError when it has not."""
    write_between_marks(page, tables(runs), results)
