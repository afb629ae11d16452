"""What the plays came to: their page and their plot, made from the results file alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from metassl.files.atomic import write_text

from metassl_research.cohort.plot import svg
from metassl_research.cohort.results import read
from metassl_research.cohort.summary import Figures, figures
from metassl_research.cohort.table import markdown


def write_outcome(path: Path) -> tuple[list[Figures], int]:
    """Write the Markdown page and the plot beside the results file; the figures of each arm, and how many cases."""
    content = read(path)
    found = figures(content)
    plot = path.with_suffix(".svg")
    write_text(path.with_suffix(".md"), markdown(found, content, plot.name))
    write_text(plot, svg(found))
    return found, len(content["cases"])


def as_json(each: Figures) -> dict[str, Any]:
    """An arm as `--json` prints it: means over the seeds."""
    names = ("drawing", "dice", "surface_dice", "worst_dice", "worst_surface_dice", "deep", "unseen", "machine_minutes")
    means = {name: float(getattr(each, name).mean()) for name in names}
    minutes = {kind: float(values.mean()) for kind, values in each.minutes.items()}
    return {"arm": each.arm, "seeds": each.seeds, "minutes": minutes, "total": float(each.total.mean()), **means}
