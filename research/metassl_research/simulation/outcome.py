"""What a simulation came to: its table and its plot, made from the results file alone."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from metassl.files.atomic import write_text

from metassl_research.simulation.curves import Curve, curves
from metassl_research.simulation.plot import svg
from metassl_research.simulation.results import read
from metassl_research.simulation.table import markdown


def write_outcome(path: Path) -> tuple[list[Curve], list[int]]:
    """Write the Markdown page and the plot beside the results file; the curves, and the seeds behind them."""
    content = read(path)
    found, seeds = curves(content)
    plot = path.with_suffix(".svg")
    write_text(path.with_suffix(".md"), markdown(found, seeds, content["settings"], plot.name))
    write_text(plot, svg(found))
    return found, seeds


def as_json(curve: Curve) -> dict[str, Any]:
    """A curve as `--json` prints it: means over the seeds."""
    return {
        "strategy": curve.strategy,
        "labels": curve.labels.tolist(),
        "dice": curve.dice.mean(axis=0).tolist(),
        "minutes": curve.minutes.mean(axis=0).tolist(),
        "area_labels": float(curve.area_labels.mean()),
        "area_minutes": float(curve.area_minutes.mean()),
        "reached": {name: asdict(reached) for name, reached in curve.reached.items()},
    }
