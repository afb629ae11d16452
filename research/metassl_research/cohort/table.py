"""What the plays came to, as tables for the terminal and as a page of Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from metassl.project.words import count

from metassl_research.cohort.arms import LOOKS
from metassl_research.cohort.costs import KINDS
from metassl_research.cohort.summary import Figures
from metassl_research.text import markdown_table, spread


def rows(found: Sequence[Figures]) -> list[list[str]]:
    """The table with its heads, the cheapest arm first."""
    heads = ["arm", "seeds", "minutes", "of drawing", "Dice", "surface Dice", "worst Dice", "worst surface Dice"]
    heads += ["with a deeper error", "accepted unseen", "machine minutes"]
    body = []
    for each in sorted(found, key=lambda each: each.total.mean()):
        quality = (each.dice, each.surface_dice, each.worst_dice, each.worst_surface_dice)
        counts = (each.deep, each.unseen, each.machine_minutes)
        row = [each.arm, str(len(each.seeds)), spread(each.total, 0), _share(each.drawing)]
        body.append([*row, *map(spread, quality), *(spread(values, 0) for values in counts)])
    return [heads, *body]


def kind_rows(found: Sequence[Figures], cases: int) -> list[list[str]]:
    """Where the minutes go: by kind, mean over the seeds, and seconds a case."""
    heads = ["arm", *KINDS, "all", "seconds a case", "cases corrected"]
    body = []
    for each in sorted(found, key=lambda each: each.total.mean()):
        minutes = [f"{each.minutes[kind].mean():.0f}" for kind in KINDS]
        mean = float(each.total.mean())
        body.append([each.arm, *minutes, f"{mean:.0f}", f"{60 * mean / cases:.0f}", f"{each.corrected.mean():.0f}"])
    return [heads, *body]


def markdown(found: Sequence[Figures], content: dict[str, Any], plot: str) -> str:
    """A page: what was played, both tables, the plot, and what the minutes are made of."""
    settings, cases = content["settings"], len(content["cases"])
    costs = settings["costs"]
    rounds = ", ".join(str(each) for each in settings["rounds"])
    lines = [
        f"# The cohort gets finished: {settings['data']}",
        "",
        f"{count(cases, 'case')} from nothing to the last final label, by an oracle that corrects what is wrong by "
        f"more than {settings['tolerance']:g} mm{_seen(settings['seen'])}. The first "
        f"{settings['rounds'][0]} are drawn; a training of "
        f"{settings['iterations']} steps ({settings['framework']}, {settings['loss']}) after {rounds} cases, as far as "
        "a quarter of the cohort is left, each from the model before it. Mean ± standard deviation over the seeds.",
        "",
        *markdown_table(rows(found)),
        "",
        f"![Cases finished against minutes, and where the minutes go]({plot})",
        "",
        "## Where the minutes go",
        "",
        *markdown_table(kind_rows(found, cases)),
        "",
        "## How to read it",
        "",
        "*Minutes* are those of a person, by the costs below. *Machine minutes* are counted apart: all trainings and "
        "predictions on this machine, beside other programs, while a person does something else, or waits. *Dice*, "
        f"*surface Dice* (at {settings['tolerance']:g} mm) and *worst*: of the final labels of all cases against the "
        "truth, the mean over their structures; a case that was accepted unseen counts with its prediction. *With a "
        "deeper error*: final labels with a voxel that is wrong by more, also where that fills too little of a slice "
        "to be seen. A person who draws is no oracle: labels drawn by hand do not have the Dice of 1 that stands here.",
        "",
        "An arm is the order of the cases, a strategy of `metassl rank`, and what of them is looked at:",
        "",
        *(f"- `{name}`: {words}" for name, words in LOOKS.items()),
        "",
        *markdown_table([["cost", "seconds", "source"], *_cost_rows(costs, settings["sources"])], left=1),
        "",
    ]
    return "\n".join(lines)


def _cost_rows(costs: dict[str, float], sources: dict[str, str]) -> list[list[str]]:
    return [[name, f"{seconds:g}", sources[name]] for name, seconds in costs.items()]


def _seen(area: float) -> str:
    return f", where that fills {area:g} mm² of a slice or more" if area else ""


def _share(shares: np.ndarray) -> str:
    return "-" if np.isnan(shares).all() else f"{100 * shares.mean():.0f} %"
