"""Text is written and read in UTF-8, whatever the system's locale: where ruff's rule cannot see that it is a path."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FEWEST = {"read_text": 1, "write_text": 2}
"""Arguments from which on the encoding is said."""


def in_the_systems_encoding(code: str) -> list[int]:
    """The lines that read or write a whole file without saying its encoding."""
    if not re.search(r"\.(read|write)_text\(", code):
        return []
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    named = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr in FEWEST]
    return [call.lineno for call in named if len(call.args) + len(call.keywords) < FEWEST[call.func.attr]]


@pytest.mark.parametrize("folder", ["MetaSSLSlicer", "research", "Testing", "docs"])
def test_no_text_file_is_read_or_written_in_the_systems_encoding(folder):
    files = [path for path in (ROOT / folder).rglob("*.py") if "build" not in path.parts]
    found = {str(path): in_the_systems_encoding(path.read_text(encoding="utf-8")) for path in files}
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "code", ["path.read_text()", "(folder / 'a').write_text('b')", "open_(p).write_text(\n  text\n)"]
)
def test_the_rule_bites(code):
    assert in_the_systems_encoding(code) == [1]


def test_what_says_its_encoding_is_fine():
    assert (
        in_the_systems_encoding("p.read_text('utf-8'); p.read_text(encoding='utf-8'); p.write_text(a, 'utf-8')") == []
    )
