"""Commands that are run in this process, and what they print."""

from __future__ import annotations

import json

from metassl.cli import main


def run(capsys, *words: object) -> tuple[int, str, str]:
    """The exit code, stdout and stderr of a command run in this process."""
    capsys.readouterr()
    code = main([str(word) for word in words])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def run_json(capsys, *words: object) -> dict:
    """What a command with --json prints; it must succeed and print nothing else."""
    code, out, err = run(capsys, *words, "--json")
    assert code == 0, err
    return json.loads(out)


def only_line(text: str) -> str:
    (line,) = text.splitlines()
    return line
