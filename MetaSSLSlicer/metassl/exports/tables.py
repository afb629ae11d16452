"""Tables (CSV) beside what is exported."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metassl.files.atomic import write_text

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows, at least one and all with the same columns, for spreadsheets and programs. Raises ProjectError."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _inert(cell) for key, cell in row.items()} for row in rows)
    write_text(path, text.getvalue())


def _inert(cell: Any) -> Any:
    """A text that a spreadsheet would take for a formula gets an apostrophe in front, which it does not show."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
