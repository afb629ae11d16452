"""Calls Python from Qt as PythonQt does: trimmed arguments, errors kept, every call timed."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from types import BuiltinFunctionType, BuiltinMethodType

from . import SlotErrors
from .Values import NativeMethod


class Timing:
    """How long the outermost callback took, for whoever listens."""

    depth = 0
    listeners: list[Callable[[float, float, str], None]] = []


def isNative(function: Callable) -> bool:
    """Is it a slot of a C++ object, which Qt calls itself?"""
    return isinstance(function, (BuiltinFunctionType, BuiltinMethodType, NativeMethod))


def wrap(function: Callable) -> Callable:
    """A function for Qt to call in place of `function`."""
    wanted = _argumentCount(function)

    def callback(*arguments):
        return timed(function, *(arguments if wanted is None else arguments[:wanted]))

    return callback


def timed(function: Callable, *arguments):
    """Call it; keep its error; tell the listeners how long it took if it is not inside another one."""
    outermost = not Timing.depth
    if outermost:
        start, startOfWork, startOfQueue = time.perf_counter(), time.thread_time(), queued()
    Timing.depth += 1
    try:
        return function(*arguments)
    except Exception as error:
        SlotErrors.record(error)
    finally:
        Timing.depth -= 1
        if outermost:
            took_ms = 1000 * (time.perf_counter() - start - (queued() - startOfQueue))
            worked_ms = 1000 * (time.thread_time() - startOfWork)
            for listener in list(Timing.listeners):
                listener(took_ms, worked_ms, getattr(function, "__qualname__", repr(function)))


def queued() -> float:
    """The seconds that this thread waited for a core while other programs had them all; 0 where that is not told."""
    try:
        with open("/proc/thread-self/schedstat", "rb") as stream:
            return int(stream.read().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def _argumentCount(function: Callable) -> int | None:
    # Defaults count: `lambda i=7:` receives the signal's first argument.
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return None
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(parameter.kind in positional for parameter in parameters)
