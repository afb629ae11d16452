"""Hostile files are read in a child process: one that dies, hangs or asks for too much memory is a finding."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
import traceback
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

HERE = str(Path(__file__).resolve().parents[1])
MEMORY = 1 << 30
"""More than the child needs for itself: the files are of some kilobytes."""

CPU_SECONDS = 2.0
"""For one file; a module that does more with it has a CPU_SECONDS of its own."""

PATIENCE_S = 120.0
"""By the clock on the wall, as the machine may be busy with other things."""


@dataclass(frozen=True)
class Verdict:
    """fault: "" when the file was refused in a clear sentence, or read rightly; else what was wrong. said: in words."""

    fault: str = ""
    said: str = ""


class Child:
    """Runs `probe(*arguments) -> Verdict` of modules of this package, again and again. Use it in a with block.

    core: the one that it keeps to, where the system allows that; None for all.
    """

    def __init__(self, core: int | None = None) -> None:
        self._core = core
        self._process: Any = None
        self._pipe: Connection | None = None

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def judge(self, module: str, *arguments: Any) -> Verdict:
        """What came of it, whatever comes of it."""
        if self._process is None:
            self._start()
        self._pipe.send((module, *arguments))
        try:
            if self._pipe.poll(PATIENCE_S):
                verdict, seconds, allowed = self._pipe.recv()
                return verdict if seconds < allowed else Verdict("slow", f"{seconds:.1f} s of processor time")
        except (EOFError, ConnectionError):
            self._process.join()
            code = self._process.exitcode
            self._end()
            return Verdict("crash", f"the process died with {code}")
        self._end()
        return Verdict("hang", f"nothing came within {PATIENCE_S:g} s")

    def _start(self) -> None:
        if HERE not in sys.path:
            sys.path.append(HERE)  # the child looks where we look
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._core), daemon=True)
        self._process.start()
        theirs.close()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._pipe.close()
        self._process = self._pipe = None


def _serve(pipe: Connection, core: int | None) -> None:
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    os.environ["OMP_NUM_THREADS"] = "1"  # threads that wait for each other take processor time
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)  # ITK and zlib speak for themselves
    loaded: dict[str, Any] = {}
    while True:
        try:
            module, *arguments = pipe.recv()
        except EOFError:
            return
        if module not in loaded:
            _limit_memory(None)
            loaded[module] = import_module(f"faults.{module}")
            _limit_memory(MEMORY)
        begin = time.process_time()
        try:
            verdict = loaded[module].probe(*arguments)
        except BaseException as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            verdict = Verdict(
                "traceback", f"{type(error).__name__}: {error} in {Path(where.filename).name}:{where.lineno}"[:500]
            )
        allowed = getattr(loaded[module], "CPU_SECONDS", CPU_SECONDS)
        pipe.send((verdict, time.process_time() - begin, allowed))


def _limit_memory(more: int | None) -> None:
    """To so many bytes above what is held now, of what can be written to; not at all (None).

    Where the system knows no such limit, the watch on the clock is left.
    """
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[5])
    except (ImportError, OSError):
        return
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    limit = most if more is None else pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_DATA, (limit, most))
