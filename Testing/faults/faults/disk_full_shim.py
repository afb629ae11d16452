"""Disks that fail: one that refuses the nth step of writing, and a really small one."""

from __future__ import annotations

import builtins
import io
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

STEPS = ("replace", "rename", "mkdir", "fsync")
PAGE = 4096


class FailingDisk:
    """Inside `failing`, the `at`th step that writes below `root`, and all after it, fail with the error number `code`.

    Opening a file to write is a step, and so is writing into it: half of the bytes get through.
    """

    def __init__(self, root: Path, at: int, code: int) -> None:
        self.root, self.at, self.code = root, at, code
        self.count = 0

    @property
    def was_hit(self) -> bool:
        return self.count >= self.at

    @contextmanager
    def failing(self) -> Iterator[None]:
        with mock.patch.multiple(os, **{name: self._refusing(getattr(os, name)) for name in STEPS}):
            with mock.patch.object(builtins, "open", self._opening(open)):
                with mock.patch.object(io, "open", self._opening(io.open)):
                    yield

    def step(self) -> None:
        """OSError when it is time."""
        self.count += 1
        if self.was_hit:
            raise OSError(self.code, os.strerror(self.code))

    def _refusing(self, call):
        def refuse(target, *arguments, **options):
            if isinstance(target, int):
                counts = stat.S_ISREG(os.fstat(target).st_mode)  # whether a folder can be flushed, nobody minds
            else:
                counts = self._is_below(target)
            if counts:
                self.step()
            return call(target, *arguments, **options)

        return refuse

    def _opening(self, call):
        def opened(file, mode="r", *arguments, **options):
            if isinstance(file, int) or not set(mode) & set("wax+") or not self._is_below(file):
                return call(file, mode, *arguments, **options)
            self.step()
            return _Stream(call(file, mode, *arguments, **options), self.step)

        return opened

    def _is_below(self, path) -> bool:
        return Path(os.fsdecode(path)).absolute().is_relative_to(self.root)


class _Stream:
    """A file that is asked before each write."""

    def __init__(self, stream, step) -> None:
        self._stream, self._step = stream, step

    def __getattr__(self, name: str):
        return getattr(self._stream, name)

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self._stream.close()

    def write(self, data) -> int:
        try:
            self._step()
        except OSError:
            self._stream.write(data[: len(data) // 2])
            raise
        return self._stream.write(data)


class SmallDisk:
    """A disk of its own, of so many bytes, mounted at `folder`."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        self._filler = folder / "filler"
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], check=True, capture_output=True)

    @staticmethod
    def why_not(folder: Path) -> str:
        """Why no disk can be mounted here; "" when it can."""
        if not sys.platform.startswith("linux") or shutil.which("mount") is None:
            return "a small disk is mounted on Linux only"
        try:
            SmallDisk(folder / "trial", PAGE * 8).close()
        except (OSError, subprocess.CalledProcessError):
            return "this user may not mount a small disk"
        return ""

    def fill(self, pages_left: int) -> None:
        """Leave so many pages free."""
        room = shutil.disk_usage(self.folder).free - pages_left * PAGE
        self._filler.write_bytes(bytes(max(room, 0)))

    def empty(self) -> None:
        """Free what was filled."""
        self._filler.unlink(missing_ok=True)

    def close(self) -> None:
        """Take the disk away, with all that is on it."""
        subprocess.run(["umount", self.folder], check=True, capture_output=True)
        self.folder.rmdir()
