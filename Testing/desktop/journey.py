"""A journey: steps that build on each other, each with its picture. The first that fails ends it."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from desktop_slicer import DesktopSlicer

Step = Callable[[DesktopSlicer], object]


class Journey:
    """Runs the steps of a class: its methods that begin with "step", in the order in which they are written."""

    title = ""

    def __init__(self, python: str) -> None:
        """`python`: one with torch and monai; empty: Slicer's own has them."""
        self.python = python

    def steps(self) -> Iterator[tuple[str, Step]]:
        """(words, step) of each."""
        for name, step in type(self).__dict__.items():
            if name.startswith("step"):
                yield (step.__doc__ or name).strip().rstrip("."), getattr(self, name)

    def run(self, slicer: DesktopSlicer, pictures: Path) -> tuple[int, int]:
        """(passed, failed): every step that was not reached counts as failed."""
        print(f"{self.title}", flush=True)
        steps = list(self.steps())
        passed = 0
        for number, (words, step) in enumerate(steps, start=1):
            began = time.monotonic()
            path = pictures / f"{type(self).__name__}_{number:02}.png"
            try:
                figures = step(slicer)
                if slicer.isRunning:
                    slicer.picture(path)
            except Exception as error:
                self._failed(slicer, number, words, error, path)
                break
            said = f": {figures}" if figures else ""
            print(f"  ok      {number:2} {words} ({time.monotonic() - began:.1f} s){said}", flush=True)
            passed += 1
        complaints = slicer.complaints()
        for complaint in complaints:
            print(f"  FAILED  Slicer's log has\n{complaint}", flush=True)
        if slicer.isRunning:
            slicer.kill()
        return passed, len(steps) - passed + len(complaints)

    @staticmethod
    def _failed(slicer: DesktopSlicer, number: int, words: str, error: Exception, path: Path) -> None:
        told = str(error) if isinstance(error, AssertionError) and str(error) else traceback.format_exc()
        print(f"  FAILED  {number:2} {words}\n{told}", flush=True)
        try:
            if slicer.isRunning:
                slicer.picture(path.with_name(f"{path.stem}_failed.png"))
        except AssertionError:
            print("          (and it does not answer any more)", flush=True)
