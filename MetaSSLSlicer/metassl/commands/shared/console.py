"""Where a command's words go: results to stdout, everything else to stderr when JSON is wanted."""

from __future__ import annotations

import json
import math
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from metassl.project.words import listing, said_once

__all__ = ["Console", "command_line", "harmless", "listing", "plain"]

SHORT_COMMAND = 50


class Console:
    """The two streams of one command."""

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json

    @property
    def stream(self) -> TextIO:
        """Where people's text goes: stdout, or stderr when stdout is kept for JSON."""
        return sys.stderr if self.as_json else sys.stdout

    def say(self, text: str = "") -> None:
        """A line for people."""
        print(harmless(text), file=self.stream, flush=True)

    def warn(self, text: str) -> None:
        """A line about something that went wrong without stopping the command."""
        print(f"warning: {harmless(text)}", file=sys.stderr, flush=True)

    def warn_all(self, texts: Sequence[str]) -> None:
        """Warnings, of which those that say the same of many cases are one line."""
        for text in said_once(texts):
            self.warn(text)

    def result(self, content: dict[str, Any]) -> None:
        """The one JSON object of a command with --json; nothing otherwise."""
        if self.as_json:
            print(json.dumps(plain(content), indent=1, ensure_ascii=False, allow_nan=False))

    def table(self, rows: Sequence[Sequence[str]], indent: int = 2) -> None:
        """Aligned columns: the first to the left, and the last is never padded."""
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            self.say(" " * indent + "  ".join(cells).rstrip())

    def commands(self, steps: Sequence[tuple[str, str]]) -> None:
        """Commands to type, each with a word on why: beside it, or below it when it is long."""
        if all(len(command) <= SHORT_COMMAND for command, _ in steps):
            self.table([(command, f"# {why}") for command, why in steps])
            return
        for command, why in steps:
            self.say(f"  {command}")
            self.say(f"      # {why}")


def harmless(text: str) -> str:
    """The text without characters that a terminal would obey: a name in a project may hold some."""
    return "".join(letter if letter.isprintable() or letter in "\n\t\xa0" else "?" for letter in text)


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: paths as text, numbers that are not finite as null."""
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item"):  # a numpy number
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def command_line(*words: object) -> str:
    """The command `metassl WORDS` as this user would type it, quoted for the system's shell."""
    texts = [*_program(), *(str(word) for word in words)]
    if os.name == "nt":
        return subprocess.list2cmdline(texts)
    return shlex.join(texts)


def _program() -> list[str]:
    """How to call this program again from the present folder."""
    called = Path(sys.argv[0])
    if called.parts[-2:] == ("metassl", "__main__.py"):
        return [sys.executable, "-m", "metassl"]
    on_path = shutil.which("metassl")
    if called.stem != "metassl" or (on_path and _are_the_same(Path(on_path), called)):
        return ["metassl"]
    return [sys.argv[0]]


def _are_the_same(program: Path, called: Path) -> bool:
    if os.name == "nt" and not called.suffix:
        called = called.with_suffix(".exe")  # pip's wrapper leaves it out
    try:
        return program.samefile(called)
    except OSError:
        return False
