"""Examine this computer in a process of its own, so that a crash there is only reported.

    python -m metassl.doctor NAME ...

runs the named checks in order and prints a JSON line after each.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from metassl.doctor_checks import CHECKS, CRASH_ADVICE
from metassl.jobs.process import host_name

PATIENCE_S = 180.0
ENGINE_ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Finding:
    """What one check found. `state`: "ok", "note" (it works, with less) or "failed"."""

    name: str
    state: str
    text: str
    advice: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def examine(names: Sequence[str] | None = None, patience_s: float = PATIENCE_S) -> Iterator[Finding]:
    """Run the checks (all by default) in child processes and yield each finding as it comes.

    When a check takes its process down or hangs, that is its finding, and the rest are run in a
    new process.
    """
    left = list(CHECKS if names is None else names)
    while left:
        for finding in _examine_in_child(left, patience_s):
            left.remove(finding.name)
            yield finding


def _examine_in_child(names: list[str], patience_s: float) -> Iterator[Finding]:
    paths = [str(ENGINE_ROOT), os.environ.get("PYTHONPATH", "")]
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "metassl.doctor", *names],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "PYTHONIOENCODING": "utf-8",
        },
        encoding="utf-8",
        errors="replace",
    )
    timer = threading.Timer(patience_s, child.kill)
    timer.start()
    left = list(names)
    try:
        for line in child.stdout:
            message = _message(line)
            if message:
                left.remove(message["name"])
                yield Finding(**message)
        code = child.wait()
        if left:
            hung = not timer.is_alive()
            how = f"gave no answer in {patience_s:g} s" if hung else f"crashed: {_how(code)}"
            yield Finding(left[0], "failed", f"the check {how}", CRASH_ADVICE.get(left[0], ""))
    finally:
        timer.cancel()
        child.kill()
        child.wait()
        child.stdout.close()


def _message(line: str) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except ValueError:
        return {}  # a library may print words of its own
    expected = {"name", "state", "text", "advice"}
    return message if isinstance(message, dict) and message.keys() == expected else {}


def _how(code: int) -> str:
    if code >= 0:
        return f"its process ended with exit code {code if code < 2**31 else hex(code)}"
    try:
        return f"its process was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"its process was ended by signal {-code}"


def anonymous(text: str) -> str:
    """`text` without the names of the user, the home folder and the computer."""
    home = str(Path.home())
    if len(home) > 1:
        text = text.replace(home, "~")
    for name, stand_in in ((_user(), "USER"), (host_name(), "HOST")):
        if len(name) > 1:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", stand_in, text)
    return text


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def main(names: list[str]) -> int:
    """The child: run each check and print what it found."""
    for name in names:
        try:
            state, text, *advice = CHECKS[name]()
        except Exception as error:
            first_line = (str(error).splitlines() or [""])[0]
            state, text, advice = "failed", f"{type(error).__name__}: {first_line}", []
        finding = Finding(name, state, anonymous(text), anonymous(" ".join(advice)))
        print(json.dumps(finding.to_json()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
