"""A screen for Slicer: the one that is there, or a virtual one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_MANAGERS = ("openbox", "metacity", "xfwm4", "matchbox-window-manager")


class NoScreen(Exception):
    """What is missing, and how to get it."""


@contextmanager
def screen(width: int, height: int, real: bool = False) -> Iterator[str]:
    """The name of an X display, `width` x `height` pixels unless `real` is asked for; it is gone afterwards."""
    if real:
        if not os.environ.get("DISPLAY"):
            raise NoScreen("there is no screen here: DISPLAY is not set")
        yield os.environ["DISPLAY"]
        return
    for program in ("Xvfb", "xdotool"):
        if shutil.which(program) is None:
            raise NoScreen(f"{program} is missing; on Debian and Ubuntu: apt install xvfb xdotool openbox")
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", f"{width}x{height}x24", "+extension", "GLX", "-noreset"],
        pass_fds=[writing],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    manager = None
    try:
        with os.fdopen(reading) as numbers:
            number = numbers.readline().strip()
        if not number:
            raise NoScreen("Xvfb did not start")
        display = f":{number}"
        manager = _windowManager(display)
        yield display
    finally:
        for process in (manager, server):
            if process is not None:
                process.terminate()
                process.wait(10)


def _windowManager(display: str) -> subprocess.Popen | None:
    """One that gives windows the focus, as on a person's desk; a bare X server does not."""
    program = next(filter(shutil.which, _MANAGERS), None)
    if program is None:
        print("no window manager found (apt install openbox): dialogs may not get the keys", file=sys.stderr)
        return None
    return subprocess.Popen(
        [program], env={**os.environ, "DISPLAY": display}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
