"""Figures over seeds as text, and tables of Markdown: what the comparisons share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from metassl.project.words import duration


def spread(values: np.ndarray, digits: int = 3) -> str:
    """ "0.812 ± 0.004": mean and standard deviation of (n,) values, those that are NaN left out; "-" without any."""
    known = values[~np.isnan(values)]
    if not known.size:
        return "-"
    deviation = f" ± {known.std(ddof=1):.{digits}f}" if known.size > 1 else ""
    return f"{known.mean():.{digits}f}{deviation}"


def markdown_table(rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """The lines of a table with its heads first; all but the first `left` columns are flush right."""
    heads, *body = rows
    lines = [heads, [*["---"] * left, *["--:"] * (len(heads) - left)], *body]
    return [f"| {' | '.join(line)} |" for line in lines]


def training_length(settings: dict[str, Any]) -> str:
    """Of each training of a comparison, from its kept settings."""
    if settings["iterations"] is not None:
        return f"{settings['iterations']} iterations"
    of = " of processor time" if settings.get("clock") == "processor" else ""
    return f"{duration(60 * settings['minutes'])}{of}"
