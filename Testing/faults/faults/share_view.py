"""A network share as another machine sees it: what the writer has done comes late, in parts, and out of order.

The writer works in one folder; `ShareView` copies to another what the reader may see by then: a file that is not there
yet, an older version of it, the first part of it, or zeros where bytes are still under way.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path


class ShareView:
    """`seen` shows `written`, late; each `refresh` shows something else, and `catch_up` shows all."""

    def __init__(self, written: Path, seen: Path, dice: random.Random) -> None:
        self.written, self.seen, self.dice = written, seen, dice
        seen.mkdir()

    def refresh(self) -> None:
        """Let some of what was written become visible."""
        for path in self._shuffled():
            to = self.seen / path.relative_to(self.written)
            if self.dice.random() < 0.4:
                continue
            if path.is_dir():
                if to.parent.is_dir():
                    to.mkdir(exist_ok=True)
            elif to.parent.is_dir():
                self._show(path, to)
        for path in list(self.seen.rglob("*")):
            if not (self.written / path.relative_to(self.seen)).exists() and self.dice.random() < 0.5:
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def catch_up(self) -> None:
        """Everything is visible."""
        shutil.rmtree(self.seen)
        shutil.copytree(self.written, self.seen)

    def _shuffled(self) -> list[Path]:
        paths = sorted(self.written.rglob("*"))
        self.dice.shuffle(paths)
        return paths

    def _show(self, path: Path, to: Path) -> None:
        data = path.read_bytes()
        if path.suffix != ".jsonl":  # it was put in its place whole: a share shows the old one or the new
            to.write_bytes(data)
            return
        shown = to.stat().st_size if to.exists() else 0
        kind = self.dice.choice(("whole", "part", "shorter", "hole"))
        if kind == "part":
            data = data[: self.dice.randint(min(shown, len(data)), len(data))]
        elif kind == "shorter":
            data = data[: self.dice.randint(0, len(data))]
        elif kind == "hole":
            start = self.dice.randint(min(shown, len(data)), len(data))
            end = min(start + self.dice.randint(0, 300), len(data))
            data = data[:start] + bytes(end - start) + data[end:]
        to.write_bytes(data)
