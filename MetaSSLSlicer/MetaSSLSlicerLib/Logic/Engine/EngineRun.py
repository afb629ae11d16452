"""One command of the engine at a time, whose result is asked for now and then."""

from __future__ import annotations

from collections.abc import Sequence

from .EngineProcess import EngineProcess, Result
from .EnginePython import EnginePython


class EngineRun:
    """What `start` began has to be asked for with `poll`."""

    def __init__(self, engine: EnginePython) -> None:
        self._engine = engine
        self._process: EngineProcess | None = None

    @property
    def isBusy(self) -> bool:
        """True from `start` until `poll` has given the result, or `close` was called."""
        return self._process is not None

    def start(self, arguments: Sequence) -> None:
        """Start it. MetaSSLError when it cannot be."""
        self._process = self._engine.start(arguments)

    def poll(self) -> Result | None:
        """How it ended, once; None before and afterwards. Returns at once."""
        result = self._process.poll() if self._process is not None else None
        if result is not None:
            self._process = None
        return result

    def close(self) -> bool:
        """End it; whether anything was under way."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
        return process is not None
