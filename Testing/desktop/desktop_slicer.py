"""A desktop Slicer that is started, clicked on, typed to, asked and killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent
MODULES = _HERE.parents[1] / "MetaSSLSlicer"
_START_S, _ANSWER_S, _QUIT_S = 240.0, 120.0, 60.0
_DRAG_STEPS, _DRAG_S = 12, 0.03
_COMPLAINTS = ("Traceback (most recent call last)", "ERROR: In vtk", "Failed to find subject hierarchy item")


class SlicerFailed(AssertionError):
    """Slicer did not do what was expected."""


class DesktopSlicer:
    """Everything that one journey does with Slicer. Its settings, its home and its projects lie in `folder`."""

    def __init__(self, program: Path, display: str, folder: Path) -> None:
        """`folder` is made; several Slicers that are started one after the other in it share their settings."""
        self.program, self.display, self.folder = program, display, folder
        self.home = folder / "home"
        self.home.mkdir(parents=True, exist_ok=True)
        self.log = folder / "slicer.log"
        self._process: subprocess.Popen | None = None
        self._exchange = folder
        self._number = self._starts = 0

    # Its life

    def start(self, *arguments: str) -> None:
        """Start Slicer with our module, and wait until it answers."""
        self._starts += 1
        self._number = 0
        self._exchange = self.folder / f"exchange-{self._starts}"
        self._exchange.mkdir()
        command = [
            str(self.program),
            "--no-splash",
            "--ignore-slicerrc",
            "--additional-module-paths",
            str(MODULES),
            "--python-script",
            str(_HERE / "inside.py"),
            *arguments,
        ]
        with self.log.open("ab") as log:
            streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            self._process = subprocess.Popen(command, env=self._environment(), start_new_session=True, **streams)
        self.ask("answer = slicer.app.applicationVersion", seconds=_START_S)
        self.ask("slicer.util.mainWindow().showMaximized()")
        time.sleep(1.0)
        self._focus()

    def kill(self) -> None:
        """End Slicer as a crash does: at once, and nothing else of ours."""
        os.killpg(self._process.pid, signal.SIGKILL)  # a training that it started is a group of its own
        self._process.wait(_QUIT_S)

    def quit(self) -> None:
        """Let Slicer end as it does by itself, without a crash."""
        self.tell("slicer.util.exit(0)")
        try:
            code = self._process.wait(_QUIT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise SlicerFailed("Slicer did not end") from None
        if code != 0:
            raise SlicerFailed(f"Slicer ended with the exit code {code}")

    @property
    def isRunning(self) -> bool:
        """True until it ends."""
        return self._process is not None and self._process.poll() is None

    def complaints(self) -> list[str]:
        """The lines of its log that speak of a fault, each with those behind it."""
        lines = self.log.read_text(encoding="utf8", errors="replace").splitlines()
        found = [index for index, line in enumerate(lines) if any(text in line for text in _COMPLAINTS)]
        return ["\n".join(lines[index : index + 12]) for index in found]

    # Asking

    def ask(self, code: str, seconds: float = _ANSWER_S) -> Any:
        """Run Python inside Slicer, and return what its variable `answer` holds then."""
        path = self.tell(code).with_suffix(".json")
        end = time.monotonic() + seconds
        while not path.exists():
            if not self.isRunning:
                raise SlicerFailed(f"Slicer ended; its log is {self.log}")
            if time.monotonic() > end:
                raise SlicerFailed(f"Slicer did not answer within {seconds:g} seconds: {code}")
            time.sleep(0.02)
        result = json.loads(path.read_text(encoding="utf8"))
        if "error" in result:
            raise SlicerFailed(f"{code}\n{result['error']}")
        return result["answer"]

    def tell(self, code: str) -> Path:
        """Have Python run inside Slicer without waiting for it."""
        self._number += 1
        request = self._exchange / f"{self._number:05}.py"
        made = request.with_suffix(".new")
        made.write_text(code, encoding="utf8")
        made.rename(request)
        return request

    def value(self, expression: str, seconds: float = _ANSWER_S) -> Any:
        """What an expression is inside Slicer."""
        return self.ask(f"answer = {expression}", seconds)

    def wait(self, expression: str, seconds: float = 60.0, what: str = "") -> Any:
        """Wait until an expression is true inside Slicer, and return what it is."""
        end = time.monotonic() + seconds
        while not (found := self.value(expression)):
            if time.monotonic() > end:
                raise SlicerFailed(f"waited {seconds:g} seconds for {what or expression}")
            time.sleep(0.1)
        return found

    # Mouse and keys

    def click(self, widget: str, x: float | None = None, y: float | None = None, scroll: bool = False) -> None:
        """Click on a widget, given as an expression, where a person would; `scroll`: bring it into view first."""
        if scroll:
            self.ask(f"bringIntoView({widget})")
        self.clickAt(self.value(f"spot({widget}, {x}, {y})"))

    def clickAt(self, point: Sequence[float], times: int = 1) -> None:
        """Click at a point of the screen."""
        x, y = (str(round(each)) for each in point)
        self._xdotool("mousemove", x, y)
        time.sleep(0.1)
        self._xdotool("click", "--repeat", str(times), "--delay", "120", "1")
        time.sleep(0.2)

    def moveTo(self, point: Sequence[float]) -> None:
        """Move the mouse to a point of the screen, as a hand does: not in one leap."""
        x, y = (round(each) for each in point)
        self._xdotool("mousemove", str(x - 3), str(y - 3))
        self._xdotool("mousemove", str(x), str(y))
        time.sleep(0.1)

    def drag(self, points: Sequence[Sequence[float]]) -> None:
        """Press the left button at the first point of the screen, and release it at the last."""
        first = points[0]
        self.moveTo(first)
        self._xdotool("mousedown", "1")
        for start, end in zip(points, points[1:], strict=False):
            for step in range(1, _DRAG_STEPS + 1):
                share = step / _DRAG_STEPS
                between = [round(a + (b - a) * share) for a, b in zip(start, end, strict=True)]
                self._xdotool("mousemove", *(str(each) for each in between))
                time.sleep(_DRAG_S)
        self._xdotool("mouseup", "1")
        time.sleep(0.2)

    def key(self, keys: str) -> None:
        """Press keys, such as "n" or "shift+a"."""
        self._xdotool("key", "--clearmodifiers", keys)
        time.sleep(0.3)

    def keyAlone(self, keys: str) -> float:
        """As `key`, with the others held down before; returns when (time.monotonic) the last one was pressed."""
        *others, last = keys.split("+")
        for each in others:
            self._xdotool("keydown", each)
        offset = time.time() - time.monotonic()
        # xdotool takes a while to start: the moment before it presses the key counts
        said = self._xdotool("exec", "--sync", "--args", "2", "date", "+%s.%N", "key", last)
        for each in reversed(others):
            self._xdotool("keyup", each)
        return float(said) - offset

    def type(self, text: str) -> None:
        """Type a text where the cursor is."""
        self._xdotool("type", "--delay", "20", text)

    def picture(self, path: Path) -> None:
        """Keep what is on the screen."""
        self.ask(f"picture({str(path)!r})")

    # Inside

    def _focus(self) -> None:
        title = self.value("slicer.util.mainWindow().windowTitle")
        window = self._xdotool("search", "--name", f"^{title.split()[0]} {title.split()[1]}", check=False).split()
        if window:
            self._xdotool("windowfocus", window[-1], check=False)

    def _xdotool(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            ["xdotool", *arguments],
            env={**os.environ, "DISPLAY": self.display},
            capture_output=True,
            text=True,
            timeout=60,
        )
        if check and done.returncode != 0:
            raise SlicerFailed(f"xdotool {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def _environment(self) -> dict[str, str]:
        """Ours, with a home of its own, so that no settings of a person are read or written."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
            "DISPLAY": self.display,
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / ".config"),
            "METASSL_DESKTOP": str(self._exchange),
        }
