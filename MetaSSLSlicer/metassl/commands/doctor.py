"""Check this computer: Python, torch, GPU, memory, libraries and write access.

The checks run in a process of their own, so that a library that crashes is
reported instead of taking this command with it. The output names no user and
no computer, and can be pasted into a bug report. With --measure a training step
is timed as well, on made-up images: how long it takes, how much of that it
waits for data, and its memory. Exit code 1: a check failed.
"""

from __future__ import annotations

import argparse

from metassl.project.words import count

from .shared.console import Console
from .shared.options import add_json_option

SUMMARY = "check Python, torch, GPU, memory and write access"

_MARKS = {"ok": "ok", "note": "note", "failed": "FAILED"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--measure", action="store_true", help="time a training step, too: half a minute")
    add_json_option(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from metassl.doctor import CHECKS, MEASURES, examine
    from metassl.jobs.start import engine_versions

    findings = []
    for finding in examine([*CHECKS, *MEASURES] if arguments.measure else None):
        findings.append(finding)
        console.say(f"{_MARKS[finding.state]:<7} {finding.name:<12} {finding.text}")
        if finding.advice:
            console.say(f"{'':<20} {finding.advice}")
    failed = [finding.name for finding in findings if finding.state == "failed"]
    console.say()
    console.say(f"{count(len(failed), 'check')} failed: {', '.join(failed)}" if failed else "this computer is ready")
    checks = [finding.to_json() for finding in findings]
    console.result({"ok": not failed, "checks": checks, "versions": engine_versions()})
    return 1 if failed else 0
