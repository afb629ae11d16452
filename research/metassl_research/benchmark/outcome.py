"""What a benchmark came to: its page and its plot, made from the results file alone."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from metassl.evaluation.evaluate import jsonable
from metassl.files.atomic import write_text

from metassl_research.benchmark.plot import svg
from metassl_research.benchmark.results import read
from metassl_research.benchmark.summary import Row, Summary
from metassl_research.benchmark.table import markdown


def write_outcome(path: Path) -> Summary:
    """Write the Markdown page and the plot beside the results file."""
    content = read(path)
    summary = Summary(content)
    plot = path.with_suffix(".svg")
    write_text(path.with_suffix(".md"), markdown(content, summary, plot.name))
    write_text(plot, svg(summary))
    return summary


def as_json(summary: Summary) -> list[dict[str, Any]]:
    """The rows as `--json` prints them."""
    rows: list[dict[str, Any]] = jsonable([_row(summary, row) for row in (*summary.rows, *summary.noisy)])
    return rows


def _row(summary: Summary, row: Row) -> dict[str, Any]:
    gain, lost = summary.gain(row), summary.lost(row)
    clean = row.noisy is None
    return {
        "framework": row.framework,
        "loss": row.loss,
        "labelled": row.labelled,
        "role": row.role,
        "noisy": row.noisy,
        "seeds": row.seeds,
        "dice": {model: row.values(model, "dice") for model in ("last", "best")},
        "seconds": row.seconds,
        "of_ceiling": summary.of_ceiling(row),
        "metassl_minus_plain": asdict(gain) if gain and clean else None,
        "dice_lost": asdict(lost) if lost and not clean else None,
    }
