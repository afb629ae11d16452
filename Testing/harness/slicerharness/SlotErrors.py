"""Errors raised inside slots, events and VTK observers. Qt swallows them; here they wait for the test to fail."""

from __future__ import annotations

import sys
import traceback

_errors: list[BaseException] = []


def record(error: BaseException) -> None:
    """Keep an error, and print it as Qt would."""
    _errors.append(error)
    traceback.print_exception(error)


def take() -> list[BaseException]:
    """The errors since the last call."""
    taken = list(_errors)
    _errors.clear()
    return taken


def raiseFirst() -> None:
    """Raise the first error since the last call, if there is one."""
    taken = take()
    if taken:
        raise AssertionError(f"a slot raised {type(taken[0]).__name__}: {taken[0]}") from taken[0]


def catchUnhandled() -> None:
    """Catch also what Qt and VTK print through sys.excepthook: event handlers and observers."""
    sys.excepthook = lambda kind, error, trace: record(error)
