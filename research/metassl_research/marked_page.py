"""A page of Markdown with places for tables, each between two marks that are named after a results file."""

from __future__ import annotations

import re
from pathlib import Path

from metassl.files.atomic import write_text
from metassl.files.errors import MetaSSLError


def marks(results: Path) -> tuple[str, str]:
    """The lines of a page between which the tables of these results belong."""
    return f"<!-- {results.name}: begin -->", f"<!-- {results.name}: end -->"


def check_page(page: Path | None, results: Path) -> None:
    """MetaSSLError when the page has no place for the tables of these results; to be asked before hours of work."""
    if page is not None:
        _written(page, "", results)


def write_between_marks(page: Path, tables: str, results: Path) -> None:
    """Put the tables where the page has the marks of `results`. MetaSSLError when it has not."""
    write_text(page, _written(page, tables, results))


def _written(page: Path, tables: str, results: Path) -> str:
    begin, end = marks(results)
    try:
        text = page.read_text("utf-8") if page.is_file() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise MetaSSLError(f"{page} cannot be read: {error}") from error
    made, places = re.subn(
        f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: f"{begin}\n{tables}\n{end}", text, flags=re.DOTALL
    )
    if places != 1:
        raise MetaSSLError(f"{page} has no place for the tables: write the lines {begin} and {end} into it once")
    return made
