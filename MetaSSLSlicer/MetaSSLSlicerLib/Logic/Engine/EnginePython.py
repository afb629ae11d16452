"""Which Python trains: Slicer's own, or one of the user's. It is only ever run as a child process."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from metassl.files import MetaSSLError
from metassl.jobs.start import WorkerPython

from ...Translation import _
from .EngineProcess import EngineProcess, childEnvironment
from .Installation import PipProcess

_INSIDE_A_FOLDER = ("bin/python", "bin/python3", "Scripts/python.exe", "python.exe")


class EnginePython:
    """The Python that runs the engine. An empty `path` means Slicer's own."""

    def __init__(self, path: str = "", startupEnvironment: Callable[[], Mapping[str, str]] | None = None) -> None:
        """`startupEnvironment`: the variables as they were before Slicer changed them, for another Python."""
        self.path = path
        self.versions: dict[str, str] = {}
        """{package: version} in a Python of the user's, as its last check told."""
        self._startupEnvironment = startupEnvironment or _startupEnvironment

    @property
    def isOwn(self) -> bool:
        """True when Slicer's own Python trains."""
        return not self.path

    @property
    def executable(self) -> str:
        """The program to start."""
        return self.path or shutil.which("PythonSlicer") or sys.executable

    @property
    def description(self) -> str:
        """For people."""
        return _("Slicer's own Python") if self.isOwn else self.path

    def use(self, path: str) -> None:
        """Train with the Python at `path` (its program, or the folder of an environment) from now on.

        An empty path: Slicer's own. MetaSSLError when there is none.
        """
        self.path, self.versions = _program(path.strip()) if path.strip() else "", {}

    def start(self, arguments: Sequence[str]) -> EngineProcess:
        """Start `metassl ARGUMENTS` with this Python."""
        return EngineProcess(self.executable, arguments, self._given())

    def worker(self) -> WorkerPython:
        """This Python, for a training that outlives Slicer. MetaSSLError when it is gone. For the GUI thread."""
        executable = self.executable if self.isOwn else _program(self.path)
        versions = None if self.isOwn else self.versions
        return WorkerPython(executable, childEnvironment(self._given()), versions)

    def _given(self) -> Mapping[str, str] | None:
        return None if self.isOwn else dict(self._startupEnvironment())

    def startInstall(self, arguments: Sequence[str]) -> PipProcess:
        """Start a module that installs packages (pip and the like) in Slicer's own Python."""
        return PipProcess(self.executable, arguments, {**os.environ, **_pipVariables()})

    def startCheck(self) -> EngineProcess:
        """Start to look whether it can train, and on what; see EngineCheck.of for its result."""
        return self.start(["doctor", "--json"])


def _pipVariables() -> dict[str, str]:
    """pip asks nothing, says each line at once, and counts what it downloads where it knows how to (since 24.1)."""
    variables = {"PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}
    try:
        numbers = importlib.metadata.version("pip").split(".")[:2]
        if [int(number) for number in numbers] >= [24, 1]:
            variables["PIP_PROGRESS_BAR"] = "raw"
    except (importlib.metadata.PackageNotFoundError, ValueError):
        pass
    return variables


def _startupEnvironment() -> Mapping[str, str]:
    try:
        from slicer.util import startupEnvironment
    except ImportError:
        return os.environ
    return startupEnvironment()


def _program(path: str) -> str:
    found = Path(path).expanduser()
    candidates = [found / name for name in _INSIDE_A_FOLDER] if found.is_dir() else [found]
    for candidate in candidates:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return os.path.abspath(candidate)
    raise MetaSSLError(
        _("There is no Python at {path}. Choose the program itself, or the folder of its environment.").format(
            path=path
        )
    )
