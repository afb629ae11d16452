"""The curves of a simulation as text: a table for the terminal, and a page of Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metassl_research.simulation.curves import Curve, Reached
from metassl_research.text import markdown_table, spread, training_length


def rows(curves: Sequence[Curve]) -> list[list[str]]:
    """The table with its heads, the highest area over labels first."""
    references = list(curves[0].reached)
    heads = ["strategy", "Dice at the end", "mean Dice over labels", "over minutes", "minutes"]
    for name in references:
        heads += [f"labels to {name}", f"% of {name}"]
    body = []
    for curve in sorted(curves, key=lambda each: -each.area_labels.mean()):
        row = [curve.strategy, spread(curve.dice[:, -1]), spread(curve.area_labels), spread(curve.area_minutes)]
        row.append(spread(curve.minutes[:, -1], 0))
        for name in references:
            row += _reach(curve.reached[name], curve.labels[-1], curve.dice.shape[0])
        body.append(row)
    return [heads, *body]


def markdown(curves: Sequence[Curve], seeds: Sequence[int], settings: dict[str, Any], plot: str) -> str:
    """A page: what was simulated, the table, the Dice after every round, and how to read it."""
    found = rows(curves)
    length = training_length(settings)
    pool = "all other training cases" if settings["pool"] is None else f"{settings['pool']} cases"
    start = "afresh" if settings["fresh"] else "from the model of the round before"
    lines = [
        "# Which case next: a simulated annotator",
        "",
        f"{settings['labelled']} labelled at the start, {settings['rounds']} rounds of {settings['per_round']} from "
        f"{pool}; {settings['framework']}, {settings['loss']}, {length} a round, {start}; seeds "
        f"{', '.join(map(str, seeds))}. Mean ± standard deviation over the seeds, on the test cases.",
        "",
        *markdown_table(found),
        "",
        f"![Dice against labels and minutes]({plot})",
        "",
        "## Dice after every round",
        "",
        *markdown_table(_by_labels(curves)),
        "",
        "*Labels to random*: how many labelled cases the mean curve takes, interpolated, to reach the Dice "
        "that random has at its end, and their share of those that random itself takes; in brackets how many "
        f"seeds reach it. Minutes are assumed, not measured: {settings['case_seconds']:g} s per case and "
        f"{settings['voxel_seconds']:g} s per voxel that differs from the truth; the first cases, and those with more "
        "wrong voxels than structure, are drawn from scratch. Mean Dice over minutes: up to the end of the cheapest "
        "strategy.",
        "",
    ]
    return "\n".join(lines)


def _by_labels(curves: Sequence[Curve]) -> list[list[str]]:
    heads = ["strategy", *(f"{label:g}" for label in curves[0].labels)]
    return [heads, *([curve.strategy, *(f"{value:.3f}" for value in curve.dice.mean(axis=0))] for curve in curves)]


def _reach(reached: Reached, last: float, seeds: int) -> tuple[str, str]:
    if reached.labels is None:
        return f"not with {last:g} ({reached.seeds} of {seeds})", "-"
    ratio = "-" if reached.ratio is None else f"{100 * reached.ratio:.0f} %"
    return f"{reached.labels:.1f} ({reached.seeds} of {seeds})", ratio
