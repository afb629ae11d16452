"""Reading, writing and computing beside the GUI. No task may touch MRML or a widget.

Nor may one die in a task: while tasks are under way Python does not look for cycles that nobody holds any more. Such a
cycle may hold nodes or widgets, and would end on the thread that happens to find it, which they do not survive.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from threading import Event
from typing import Any

from ...Signal import Signal


class BackgroundTasks:
    """A few threads whose results are handed over in `pump`, on the thread that calls it.

    While Slicer's event loop waits, its Python lock is not free for other threads. So whoever owns a timer
    must call `pump` often while `busy`: it also lets the threads run. There are enough threads for the next case to
    be read while the labels of some are written to a slow disk.
    """

    def __init__(self, threads: int = 6) -> None:
        self.started = Signal()
        """() the first task of a batch began: call `pump` from now on."""
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="metassl")
        self._gate: Event | None = None
        self._waiting: dict[Future, tuple[Callable[[Any], None], Callable[[Exception], None] | None]] = {}

    @property
    def busy(self) -> bool:
        """True while a result is still to be handed over."""
        return bool(self._waiting)

    @contextmanager
    def heldBack(self) -> Iterator[None]:
        """What is run within begins after it, and so takes no processor from what is drawn meanwhile."""
        outer, self._gate = self._gate, self._gate or Event()
        try:
            yield
        finally:
            if outer is None:
                self._gate.set()
            self._gate = outer

    def run(
        self,
        work: Callable[[], Any],
        done: Callable[[Any], None] = lambda result: None,
        failed: Callable[[Exception], None] | None = None,
    ) -> Future:
        """Call `work` in a thread; later, in `pump`, `done(result)` or `failed(error)`.

        Without `failed` an error is raised out of `pump`.
        """
        begin = work if self._gate is None else partial(_after, self._gate, work)
        return self.watch(self._pool.submit(begin), done, failed)

    def watch(
        self,
        future: Future,
        done: Callable[[Any], None] = lambda result: None,
        failed: Callable[[Exception], None] | None = None,
    ) -> Future:
        """As `run`, for what a task that runs has to tell before it ends: it sets the future's result."""
        idle = not self.busy
        _cycles.keep(self)
        self._waiting[future] = (done, failed)
        if idle:
            self.started.emit()
        return future

    def pump(self, patience_s: float = 0.004, budget_s: float = 0.02) -> None:
        """Hand over what is finished. Waits up to `patience_s` when nothing is, and stops after `budget_s`."""
        if not self._waiting:
            return
        finished, _ = wait(self._waiting, timeout=patience_s, return_when=FIRST_COMPLETED)
        end = time.monotonic() + budget_s
        for future in [future for future in list(self._waiting) if future in finished]:
            if future not in self._waiting:
                continue
            self._hand_over(future)
            if time.monotonic() > end:
                return

    def handOverSoon(self, future: Future, patience_s: float) -> None:
        """Hand this one over now if it ends within `patience_s`, as what it does takes a moment only."""
        if future in self._waiting and wait([future], timeout=patience_s).done and future in self._waiting:
            self._hand_over(future)

    def finish(self, timeout_s: float = 30.0) -> None:
        """Wait for everything that runs, and hand it over. For the end of the program, and for tests."""
        end = time.monotonic() + timeout_s
        while self._waiting and time.monotonic() < end:
            self.pump(patience_s=0.05, budget_s=timeout_s)

    def shutdown(self) -> None:
        """Let running work end, drop what has not begun, and hand nothing over any more."""
        self._waiting.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)
        _cycles.letGo(self)

    def _hand_over(self, future: Future) -> None:
        done, failed = self._waiting.pop(future)
        if not self._waiting:
            _cycles.letGo(self)
        if future.cancelled():
            return
        error = future.exception()
        if error is None:
            done(future.result())
        elif failed is not None:
            failed(error)
        else:
            raise error


def _after(gate: Event, work: Callable[[], Any]) -> Any:
    gate.wait()
    return work()


class _Cycles:
    """Whether Python may look for cycles: it may while no one has tasks under way."""

    def __init__(self) -> None:
        self._busy: set[int] = set()
        self._wereLookedFor = False

    def keep(self, tasks: BackgroundTasks) -> None:
        if not self._busy:
            self._wereLookedFor = gc.isenabled()
            gc.disable()
        self._busy.add(id(tasks))

    def letGo(self, tasks: BackgroundTasks) -> None:
        if id(tasks) not in self._busy:
            return
        self._busy.discard(id(tasks))
        if not self._busy and self._wereLookedFor:
            gc.enable()


_cycles = _Cycles()
